"""The published vocabularies; their folder is named by BIOGPT_DATA."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

SETTINGS = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def goldens(data_folder: Path) -> list[dict[str, Any]]:
    path = data_folder / "goldens" / "tokenizer_edge_cases.json"
    cases: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return cases


@pytest.fixture(scope="module")
def references(published_folders: dict[str, Path]) -> dict[str, Any]:
    transformers = pytest.importorskip("transformers")
    return {
        name: transformers.BioGptTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
        for name, folder in published_folders.items()
    }


def test_recorded_edge_cases_have_their_symbols_ids_and_text(
    published_tokenizers: dict[str, BioGptTokenizer], goldens: list[dict[str, Any]]
) -> None:
    base, large = published_tokenizers["biogpt"], published_tokenizers["biogpt-large"]
    for case in goldens:
        assert base.tokenize(case["text"]) == case["bpe"]
        assert base.encode(case["text"]) == case["ids"]
        assert large.encode(case["text"]) == case["ids_large"]
        assert base.decode(case["ids"][1:], skip_special_tokens=False) == case["decoded"]


@pytest.mark.parametrize("name", ["biogpt", "biogpt-large"])
@SETTINGS
@given(data=st.data())
def test_ids_and_text_are_those_of_transformers(
    published_tokenizers: dict[str, BioGptTokenizer],
    references: dict[str, Any],
    awkward_texts: SearchStrategy[str],
    name: str,
    data: DataObject,
) -> None:
    tokenizer, reference = published_tokenizers[name], references[name]
    text = data.draw(awkward_texts)
    assert tokenizer.encode(text, special_tokens=True) == reference(text)["input_ids"]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=30))
    assert tokenizer.decode(ids) == reference.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("name", ["biogpt", "biogpt-large"])
def test_abstracts_have_the_ids_of_transformers(
    published_tokenizers: dict[str, BioGptTokenizer], references: dict[str, Any], data_folder: Path, name: str
) -> None:
    documents = json.loads((data_folder / "bc5cdr" / "valid.json").read_text(encoding="utf-8"))
    documents = list(documents.values()) if isinstance(documents, dict) else documents
    for document in documents[:20]:
        text = f"{document['title']} {document['abstract']}"
        assert published_tokenizers[name].encode(text) == references[name](text)["input_ids"]


def test_pasted_punctuation_is_known_to_the_base_vocabulary_once_normalized(
    published_tokenizers: dict[str, BioGptTokenizer],
) -> None:
    base = published_tokenizers["biogpt"]
    text = "5\u201310 \u201csmart\u201d patients\u2019 data\u2014and so on\u2026"
    assert base.unk_id in base.encode(text)
    assert base.unk_id not in base.encode(text, normalize_punctuation=True)


def test_the_large_vocabulary_keeps_the_punctuation_that_it_knows(
    published_tokenizers: dict[str, BioGptTokenizer],
) -> None:
    large = published_tokenizers["biogpt-large"]
    text = "5\u201310 \u201csmart\u201d patients\u2019"
    assert large.encode(text, normalize_punctuation=True) == large.encode(text)
