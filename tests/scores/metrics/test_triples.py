import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.reporting.rates import Metric
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.metrics.triples import (
    in_brackets,
    normalized_name,
    predicted_triples,
    sample_metrics,
    strict_metrics,
    without_brackets,
)
from makers.task_results import relations

Triples = frozenset[Triple]

NAMES = st.sampled_from(["a", "COX-2", "cox 2", "type II", "alpha (A)", "(B)", "l-type", "x", "1", ""])
DOCUMENTS = st.lists(st.frozensets(st.tuples(NAMES, NAMES, NAMES), max_size=4), min_size=1, max_size=8)


def of(*names: str) -> Triples:
    """Triples that differ in their drug alone."""
    return frozenset((name, "inhibitor", "t") for name in names)


def values(metrics: tuple[Metric, ...]) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("aspirin", "aspirin"),
        ("cox2", "coxII"),
        ("cox-9", "coxIX"),
        ("cox-0", "cox0"),
        ("cyp12", "cyp12"),
        ("il2a", "il2a"),
        ("a2", "a2"),
        ("2", "2"),
        ("", ""),
        (" p53 ", "p53"),
        ("l-typecalciumchannel", "lcalciumchannel"),
        ("type-ii", "typeii"),
        ("5-ht(3)", "5ht3"),
        ("β-arrestin", "arrestin"),
        ("x²", "x"),
        ("ab²3", "ab3"),  # a superscript is numeric too: its 3 is no single digit
    ],
)
def test_a_name_keeps_only_what_tells_it_apart(name: str, normalized: str) -> None:
    assert normalized_name(name) == normalized


@pytest.mark.parametrize(
    ("name", "body", "abbreviation"),
    [
        ("monoamineoxidasea(mao-a)", "monoamineoxidasea", "maoa"),
        ("growthfactor2(gf2)", "growthfactorII", "gfII"),
        ("f(x)(y)", "fx", "y"),
        ("(y)", "", "y"),
        ("f(x)y", "fxy", "fxy"),
        ("plain", "plain", "plain"),
        (")", "", ""),
        ("", "", ""),
    ],
)
def test_a_name_has_a_body_and_an_abbreviation(name: str, body: str, abbreviation: str) -> None:
    assert (without_brackets(name), in_brackets(name)) == (body, abbreviation)


@pytest.mark.parametrize(
    ("predicted", "gold", "precision", "recall"),
    [
        (of(), of(), 1, 1),
        (of(), of("a"), 0, 0),
        (of("a"), of(), 0, 0),
        (of("A b"), of("ab"), 1, 1),
        (of("a", "b"), of("a"), 1 / 2, 1),
        (of("a"), of("a", "b", "c"), 1, 1 / 3),
        (of("MAO-A"), of("monoamine oxidase A (MAO-A)"), 1, 1),
        (of("Monoamine oxidase A"), of("monoamine oxidase A (MAO-A)"), 1, 1),
        (of("monoamine oxidase A (MAOA)"), of("MAO (MAO-A)"), 1, 1),
        # Two spellings of one name are one prediction.
        (of("cox-2", "COX 2"), of("cox2"), 1, 1),
        # The script's digits become capitals after names were put into lower case.
        (of("cox 2"), of("cox II"), 0, 0),
        # Precision is better by abbreviations, which are one and the same, recall equal either way.
        (of("aa (x)", "bb (x)"), of("cc (x)", "aa"), 1, 1 / 2),
    ],
)
def test_a_document_scores_as_in_the_published_evaluation(
    predicted: Triples, gold: Triples, precision: float, recall: float
) -> None:
    found = values(sample_metrics([predicted], [gold]))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert found == pytest.approx({"F1": f1, "precision": precision, "recall": recall, "F1 of the averages": f1})


def test_documents_are_averaged_and_not_pooled() -> None:
    # Precision 1/2 and recall 1, then the other way round.
    found = values(sample_metrics([of("a", "b"), of("c")], [of("a"), of("c", "d")]))
    assert found == pytest.approx({"F1": 2 / 3, "precision": 3 / 4, "recall": 3 / 4, "F1 of the averages": 3 / 4})


def test_each_part_of_a_triple_has_to_match() -> None:
    gold = [frozenset({("aspirin", "inhibitor", "cox (c)")})]
    for wrong in (("heparin", "inhibitor", "cox"), ("aspirin", "agonist", "cox"), ("aspirin", "inhibitor", "p53")):
        assert values(sample_metrics([frozenset({wrong})], gold))["F1"] == 0


def test_strict_scores_take_names_as_they_are() -> None:
    gold = [frozenset({("Aspirin", "Inhibitor", "COX (C)"), ("a", "b", "c")}), of("z")]
    predicted = [frozenset({(" aspirin", "inhibitor", "cox (c)"), ("a", "b", "COX")}), of()]
    found = values(strict_metrics(predicted, gold))
    assert found == pytest.approx({"strict F1": 2 / 5, "strict precision": 1 / 2, "strict recall": 1 / 3})


def test_what_a_model_states_is_scored_as_triples() -> None:
    found = predicted_triples([relations(("a", "r", "b"), ("a", "r", "b")), relations()])
    assert found == (frozenset({("a", "r", "b")}), frozenset())


def test_predictions_of_other_documents_are_refused() -> None:
    for metrics in (sample_metrics, strict_metrics):
        with pytest.raises(ConfigError, match="1 predictions for 2 gold documents"):
            metrics([of()], [of(), of()])


@given(DOCUMENTS)
def test_the_gold_itself_scores_one(gold: list[Triples]) -> None:
    assert set(values(sample_metrics(gold, gold)).values()) == {1.0}
    assert set(values(strict_metrics(gold, gold)).values()) == ({1.0} if any(gold) else {0.0})


@given(st.data(), DOCUMENTS)
def test_the_order_of_documents_does_not_matter(data: st.DataObject, gold: list[Triples]) -> None:
    predicted = data.draw(st.lists(DOCUMENTS.map(lambda each: each[0]), min_size=len(gold), max_size=len(gold)))
    order = data.draw(st.permutations(range(len(gold))))
    for metrics in (sample_metrics, strict_metrics):
        found = values(metrics(predicted, gold))
        assert values(metrics([predicted[n] for n in order], [gold[n] for n in order])) == pytest.approx(found)
        assert all(0 <= value <= 1 for value in found.values())
