import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.scores.metrics.concept_pairs import num_unknown, predicted_pairs
from biogpt_onnx.scores.metrics.counts import match_counts, micro_metrics
from makers.task_results import induced

LEXICON = Lexicon(
    {"aspirin": "D1", "asa": "D1", "heparin": "D4", "rd": "C1|C2"}, {"ulcer": "D2", "bleeding": "D3", "oddity": "-1"}
)
CONCEPTS = st.sampled_from(["D1", "D2", "D3", "-1"])
DOCUMENTS = st.lists(st.frozensets(st.tuples(CONCEPTS, CONCEPTS), max_size=5), min_size=1, max_size=8)


def scores(predicted: list[frozenset[ConceptPair]], gold: list[frozenset[ConceptPair]]) -> tuple[float, ...]:
    return tuple(metric.value for metric in micro_metrics(match_counts(predicted, gold)))


def test_names_of_one_concept_are_one_prediction_whatever_their_case() -> None:
    found = predicted_pairs([induced(("Aspirin", "ulcer"), ("ASA", " Ulcer"))], LEXICON)
    assert found == (frozenset({("D1", "D2")}),)


def test_an_entity_that_the_lexicon_lacks_is_a_false_positive() -> None:
    found = predicted_pairs([induced(("aspirin", "ulcer"), ("aspirin", "joy")), induced(("luck", "joy"))], LEXICON)
    assert num_unknown(found) == 2
    gold = [frozenset({("D1", "D2"), ("D1", "D3")}), frozenset[ConceptPair]()]
    assert scores(list(found), gold) == pytest.approx((2 / 5, 1 / 3, 1 / 2))


def test_scores_are_over_the_pairs_of_all_documents() -> None:
    gold = [frozenset({("D1", "D2")}), frozenset({("D1", "D2"), ("D1", "D3"), ("D4", "D3")})]
    predicted = [frozenset({("D1", "D2")}), frozenset({("D4", "D3"), ("D4", "D2")})]
    f1, precision, recall = scores(predicted, gold)
    assert (f1, precision, recall) == pytest.approx((4 / 7, 2 / 3, 2 / 4))


def test_a_pair_is_right_in_its_own_document_alone() -> None:
    assert scores([frozenset({("D1", "D2")}), frozenset()], [frozenset(), frozenset({("D1", "D2")})]) == (0, 0, 0)


def test_nothing_to_find_and_nothing_found_is_no_success() -> None:
    assert scores([frozenset()], [frozenset()]) == (0, 0, 0)


@given(DOCUMENTS)
def test_the_gold_itself_scores_one(gold: list[frozenset[ConceptPair]]) -> None:
    assert scores(gold, gold) == ((1, 1, 1) if any(gold) else (0, 0, 0))


@given(st.lists(st.tuples(DOCUMENTS, DOCUMENTS).map(lambda both: (both[0][0], both[1][0])), min_size=1, max_size=8))
def test_the_order_of_documents_does_not_matter(
    pairs: list[tuple[frozenset[ConceptPair], frozenset[ConceptPair]]],
) -> None:
    predicted, gold = [first for first, _ in pairs], [second for _, second in pairs]
    assert scores(predicted, gold) == scores(predicted[::-1], gold[::-1])
