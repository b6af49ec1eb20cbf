"""The published corpora; their folder is named by BIOGPT_DATA."""

from collections import Counter
from pathlib import Path

import pytest

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.scores.gold import read_gold
from biogpt_onnx.scores.reports.concept_pairs import report_concepts
from makers.task_results import induced


@pytest.mark.parametrize(("split", "pairs"), [("train", 1038), ("valid", 1009)])
def test_bc5cdr_is_read_whole(split: str, pairs: int, data_folder: Path) -> None:
    folder = data_folder / "bc5cdr"
    found = read_gold("bc5cdr", folder / f"{split}.json", entities=folder / f"{split}.entities.json")
    assert len(found.documents) == 500
    assert sum(map(len, found.gold)) == pairs
    assert all(document.id and document.title and document.text for document in found.documents)


def test_the_names_of_true_relations_score_almost_one(data_folder: Path) -> None:
    folder = data_folder / "bc5cdr"
    gold = read_gold("bc5cdr", folder / "valid.json", entities=folder / "valid.entities.json")
    assert gold.lexicon is not None
    chemicals = {concept: name for name, concept in gold.lexicon.chemicals.items()}
    diseases = {concept: name for name, concept in gold.lexicon.diseases.items()}
    said = [induced(*((chemicals[c].title(), diseases[d]) for c, d in pairs)) for pairs in gold.gold]
    report = report_concepts(gold, said, resampling=Resampling(resamples=100))
    assert report.comparison.measures["F1"].value == 1
    sentence, document = report.comparison.baselines
    # Whoever names every pair of a document finds most and is mostly wrong.
    assert document.measures["recall"].value > 0.9
    assert sentence.measures["precision"].value > document.measures["precision"].value
    assert report.comparison.beats_baselines


@pytest.mark.parametrize(("split", "documents"), [("train", 450), ("valid", 50)])
def test_pubmedqa_is_read_whole_and_without_its_conclusions(split: str, documents: int, data_folder: Path) -> None:
    path = data_folder / "pubmedqa" / f"{split}.tsv"
    found = read_gold("pubmedqa", path)
    assert len(found.documents) == documents
    assert Counter(found.gold).most_common(1)[0][0] == "yes"
    for document, line in zip(found.documents, filter(None, path.read_text(encoding="utf-8").split("\n")), strict=True):
        assert document.question in line
        assert document.text in line
        conclusion = line.split(" answer: ", 1)[1].split("\t")[0]
        assert conclusion not in document.text
