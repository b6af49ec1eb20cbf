import json

import pytest

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.estimates import Difference
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold import GoldSet
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.metrics.counts import mean_metric
from biogpt_onnx.scores.reports.answers import report_answers
from biogpt_onnx.scores.reports.comparison import System, compare_systems
from biogpt_onnx.scores.reports.concept_pairs import ConceptReport, report_concepts
from biogpt_onnx.scores.reports.hallmarks import report_hallmarks
from biogpt_onnx.scores.reports.triples import report_triples
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Relations
from makers.task_results import answer, classification, induced, relations

FEW = Resampling(resamples=200)

# Each sentence names a cure and a harm; the first disease alone is induced.
LEXICON = Lexicon({"lithium": "C1", "heparin": "C2"}, {"tremor": "D1", "bleeding": "D2", "mania": "D3"})
DOCUMENTS = (
    Document("Lithium for mania caused tremor. Nothing else was seen.", title="Lithium"),
    Document("Heparin caused bleeding. Mania was not seen."),
) * 10
CONCEPTS = GoldSet(DOCUMENTS, (frozenset({("C1", "D1")}), frozenset({("C2", "D2")})) * 10, LEXICON)
RIGHT = [induced(("Lithium", "tremor")), induced(("Heparin", "bleeding"))] * 10
NOTHING = [induced()] * 20


def concepts(predictions: list[Relations], second: list[Relations] | None = None) -> ConceptReport:
    return report_concepts(CONCEPTS, predictions, second, resampling=FEW)


def test_a_model_that_is_right_beats_co_occurrence() -> None:
    report = concepts(RIGHT)
    found = report.comparison
    assert found.measures["F1"].value == found.measures["precision"].value == found.measures["recall"].value == 1
    sentence, document = found.baselines
    # Of three pairs in a sentence two are right in twenty documents, of four in a document.
    assert sentence.measures["F1"].value == pytest.approx(2 * 20 / (30 + 20))
    assert document.measures["F1"].value == pytest.approx(2 * 20 / (40 + 20))
    assert sentence.differences["F1"].value == pytest.approx(0.2)
    assert found.beats_baselines
    assert (report.predicted, report.gold, report.matched, report.unknown) == (20, 20, 20, 0)
    assert found.sentences().startswith("The F1 of the model is 100.00%, which beats all of its baselines: above co-")
    assert "with 80.00%, by +20.00 points (" in found.sentences()


def test_a_model_that_finds_nothing_is_said_to_be_below() -> None:
    found = concepts(NOTHING).comparison
    assert not found.beats_baselines
    assert "is 0.00%, which beats none of its 2 baselines: below co-occurrence in a sentence" in found.sentences()


def test_a_model_is_beside_another_one() -> None:
    found = concepts(RIGHT, NOTHING).comparison
    assert found.second is not None
    assert found.second.differences["F1"].value == 1
    assert found.second.differences["F1"].p_value < 0.01
    # Twenty documents leave room for some in which the other one is right: Bonett and Price's interval.
    assert found.sentences().endswith(" It is above the other model with 0.00%, by +100.00 points (+73.50 to +100.00).")


def test_a_model_beside_itself_is_not_to_be_told_apart() -> None:
    found = concepts(RIGHT, RIGHT).comparison
    assert found.second is not None
    ((low, high),) = {each.interval or (0.0, 0.0) for each in found.second.differences.values()}
    assert low == -high < 0
    assert set(found.second.differences.values()) == {Difference(0.0, (low, high), 1.0)}
    assert "It is not to be told apart from the other model" in found.sentences()


def test_what_a_lexicon_does_not_know_is_reported() -> None:
    report = concepts([induced(("luck", "joy"), ("Lithium", "tremor"))] * 20)
    assert report.unknown == 20
    assert "20 predicted ones name an entity of which the lexicon does not know" in report.to_markdown()


def test_gold_without_a_lexicon_is_refused() -> None:
    with pytest.raises(ConfigError, match="no lexicon"):
        report_concepts(GoldSet(CONCEPTS.documents, CONCEPTS.gold), RIGHT)


def test_triples_are_reported_both_ways() -> None:
    gold = GoldSet(
        (Document("a"), Document("b")), (frozenset[Triple]({("Aspirin", "inhibitor", "cox (C)")}), frozenset[Triple]())
    )
    report = report_triples("kd-dti", gold, [relations(("aspirin", "inhibitor", "C")), relations()], resampling=FEW)
    measures = {name: each.value for name, each in report.comparison.measures.items()}
    assert list(measures)[:4] == ["F1", "precision", "recall", "F1 of the averages"]
    assert (measures["F1"], measures["strict F1"]) == (1, 0)
    assert (report.predicted, report.gold, report.matched) == (1, 1, 0)
    assert report.to_markdown().startswith(
        "# KD-DTI\n\nThe F1 of the model is 100.00%; it is held against no baseline."
    )
    assert report.to_dict()["beats_baselines"] is None


def test_hallmarks_are_reported_beside_the_majority() -> None:
    gold = [frozenset({"empty"})] * 30 + [frozenset({"resisting cell death"})] * 10
    said = [classification("empty", confidence=0.9)] * 30 + [classification("resisting cell death")] * 9
    said.append(classification())
    report = report_hallmarks(GoldSet((Document("s"),) * 40, tuple(gold)), said, resampling=FEW)
    assert report.comparison.measures["micro F1"].value == pytest.approx(2 * 39 / 79)
    (baseline,) = report.comparison.baselines
    assert baseline.name == 'the majority answer "empty" of these documents themselves'
    assert baseline.measures["micro F1"].value == pytest.approx(30 / 40)
    assert report.unlabelled == report.calibrations["the model"].left_out == 1
    assert report.calibrations["the model"].error == pytest.approx(0.1 * 30 / 39)
    assert {each.label: each.recall for each in report.classes}["resisting cell death"] == 0.9
    assert "which beats its baseline: above the majority" in report.comparison.sentences()
    assert "| resisting cell death | 10 | 9 | 100.00% | 90.00% | 94.74% |" in report.to_markdown()


def test_answers_are_reported_with_tests_and_confusions() -> None:
    gold = ("yes",) * 10 + ("no",) * 10
    said = [answer(each) for each in gold]
    second = [answer("yes")] * 10 + [answer(None)] * 10
    training = ["yes", "yes", "no"]
    gold_set = GoldSet((Document("c", question="q"),) * 20, gold)
    report = report_answers(gold_set, said, second, training=training, names=("float32", "int8"), resampling=FEW)
    assert report.comparison.measures["accuracy"].value == 1
    assert list(report.tests) == ['the majority answer "yes" of the training set', "int8"]
    assert {(each.only_first, each.only_second, each.p_value) for each in report.tests.values()} == {(10, 0, 2 / 1024)}
    assert report.confusion["no"] == {"yes": 0, "no": 10, "maybe": 0, "none": 0}
    assert (report.calibrations["int8"].count, report.calibrations["int8"].left_out) == (10, 10)
    text = report.to_markdown()
    assert "Beside int8, float32 alone is right on 10 questions and the other alone on 0" in text
    assert "| no | 0 | 10 | 0 | 0 |" in text
    assert "The expected calibration error of int8 is 0.00%, of 10 answers in 15 bins, 10 without a known label" in text


def test_a_single_document_is_reported_without_intervals() -> None:
    gold_set = GoldSet((Document("c", question="q"),), ("yes",))
    report = report_answers(gold_set, [answer("yes")], resampling=FEW)
    assert report.comparison.measures["accuracy"].interval is None
    assert not report.comparison.beats_baselines
    assert "does not beat its baseline: not to be told apart from" in report.comparison.sentences()
    assert "| the model | 100.00% | 33.33% |" in report.to_markdown()


def test_three_right_answers_beat_nothing() -> None:
    gold_set = GoldSet((Document("c", question="q"),) * 3, ("yes",) * 3)
    report = report_answers(gold_set, [answer("yes")] * 3, training=["no"], resampling=FEW)
    found = report.comparison
    # Of the eight ways in which three coins fall, two are as one-sided as all heads.
    assert found.baselines[0].differences["accuracy"].p_value == 2 / 8
    assert not found.beats_baselines
    low, high = found.measures["accuracy"].interval or (1, 1)
    assert low < 0.5
    assert high == 1
    assert "**Caution:** 3 documents say little of others" in report.to_markdown()
    assert report.to_dict()["caution"] is not None


def test_a_caution_stands_over_few_documents_alone() -> None:
    assert "Caution" not in concepts(RIGHT).to_markdown()
    few = GoldSet(DOCUMENTS[:19], CONCEPTS.gold[:19], LEXICON)
    assert "**Caution:** 19 documents say" in report_concepts(few, RIGHT[:19], resampling=FEW).to_markdown()


def test_reports_are_the_same_each_time_and_fit_json() -> None:
    gold_set = GoldSet((Document("c", question="q"),) * 2, ("yes", "no"))
    answers = [answer("yes"), answer(None)]

    def texts() -> list[str]:
        reports = (
            concepts(RIGHT, NOTHING),
            report_triples("ddi", GoldSet((Document("a"),), (frozenset(),)), [relations()]),
            report_hallmarks(GoldSet((Document("s"),), (frozenset({"empty"}),)), [classification("empty")]),
            report_answers(gold_set, answers, [answer(None)] * 2),
        )
        return [json.dumps(report.to_dict(), allow_nan=False) for report in reports]

    assert texts() == texts()
    assert all({"task", "summary", "beats_baselines", "standing"} <= set(json.loads(text)) for text in texts())


def test_models_of_one_name_are_refused() -> None:
    gold_set = GoldSet((Document("c", question="q"),), ("yes",))
    with pytest.raises(ConfigError, match="two models have the name 'int8'"):
        report_answers(gold_set, [answer("yes")], [answer("no")], names=("int8", "int8"))
    system = System("int8", (mean_metric("accuracy", [1.0]),))
    with pytest.raises(ConfigError, match="same name"):
        compare_systems(system, [system], None)


@pytest.mark.parametrize("predictions", [NOTHING[:19], [*NOTHING, induced()]])
def test_as_many_predictions_as_documents_are_needed(predictions: list[Relations]) -> None:
    with pytest.raises(ConfigError, match="predictions for 20 gold documents"):
        concepts(predictions)
