import pytest

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.as_published.concept_pairs import published_concepts
from biogpt_onnx.scores.as_published.figures import published_section
from biogpt_onnx.scores.as_published.labels import published_answers, published_hallmarks
from biogpt_onnx.scores.as_published.triples import published_triples
from biogpt_onnx.scores.gold import GoldSet
from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.scores.gold.triples import Triple
from biogpt_onnx.scores.reports.answers import report_answers
from biogpt_onnx.scores.reports.concept_pairs import report_concepts
from biogpt_onnx.scores.reports.hallmarks import report_hallmarks
from biogpt_onnx.scores.reports.task_report import report_task
from biogpt_onnx.scores.reports.triples import report_triples
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.results import Answer, Classification, Relation, Relations

LEXICON = Lexicon({"lithium": "C1", "heparin": "C2", "acid and base": "C3"}, {"tremor": "D1", "bleeding": "D2"})


def written(text: str, *pairs: tuple[str, str]) -> Relations:
    """A text, and the relations that our reading makes of it."""
    found = tuple(Relation(head, "CID", tail, None, None, -1.0) for head, tail in pairs)
    return Relations(found, (), text, 0, complete=True)


def exists(head: str, tail: str) -> str:
    return f"the relation between {head} and {tail} exists"


def concepts(*gold: frozenset[ConceptPair]) -> GoldSet[frozenset[ConceptPair]]:
    return GoldSet(tuple(Document("Lithium caused tremor.") for _ in gold), gold, LEXICON)


def test_pairs_are_counted_by_the_words_of_the_text() -> None:
    gold = concepts(
        frozenset({("C1", "D1"), ("C2", "D2")}), frozenset({("C3", "D2")}), frozenset(), frozenset({("C1", "D2")})
    )
    texts = [
        # Both right, one twice; the third has an unknown disease, and so has the fourth: one more pair.
        "; ".join([exists("lithium", "tremor"), exists("heparin", "bleeding"), exists("lithium", "tremor")])
        + f"; {exists('lithium', 'joy')}; {exists('lithium', 'luck')}.",
        # The last "and" divides: the chemical is "acid and base", as in the gold.
        f"{exists('acid and base', 'bleeding')}.",
        # Not counted, because the document has no relation.
        f"{exists('lithium', 'tremor')}.",
        # The name is looked up as it is written.
        f"{exists('Lithium', 'bleeding')}.",
    ]
    found = published_concepts(gold, [written(text) for text in texts], LEXICON)
    assert (found.documents, found.failed) == (3, 0)
    assert found.counts == {"true positives": 3, "false positives": 2, "false negatives": 1}
    assert found.figures == {"precision": 3 / 5, "recall": 3 / 4, "F1": 6 / 9}


def test_our_reading_finds_what_the_published_one_misses() -> None:
    # "bleeding and tremor" is two words of the document; the published reading makes the chemical of the first three.
    text = f"{exists('lithium', 'bleeding and tremor')}."
    lexicon = Lexicon({"lithium": "C1"}, {"bleeding and tremor": "D9"})
    gold = GoldSet((Document("x"),), (frozenset({("C1", "D9")}),), lexicon)
    report = report_concepts(gold, [written(text, ("lithium", "bleeding and tremor"))], as_published=True)
    assert report.comparison.measures["F1"].value == 1
    assert report.published["the model"].figures["F1"] == 0
    assert report.published["the model"].counts["false positives"] == 1


def test_texts_that_state_nothing_are_counted() -> None:
    found = published_concepts(concepts(frozenset({("C1", "D1")})), [written("no relation at all.")], LEXICON)
    assert found.failed == 1
    assert set(found.figures.values()) == {0.0}


def test_documents_without_any_relation_are_refused() -> None:
    with pytest.raises(ConfigError, match="--as-published"):
        published_concepts(concepts(frozenset()), [written("")], LEXICON)


def test_triples_are_averaged_over_documents_and_counted_over_all() -> None:
    gold = [
        frozenset[Triple]({("Aspirin", "inhibitor", "cyclooxygenase 2 (COX-2)"), ("aspirin", "inhibitor", "COX 1")}),
        frozenset[Triple]({("heparin", "agonist", "thrombin")}),
        frozenset[Triple](),
    ]
    texts = [
        # By abbreviations "cox-2" is right; the second statement has a wrong interaction.
        "the interaction between aspirin and cox-2 is inhibitor; the interaction between aspirin and cox 1 is agonist.",
        "the interaction between failed and thrombin is agonist.",
        "the interaction between a and b is c.",
    ]
    found = published_triples(
        GoldSet(tuple(Document("x") for _ in gold), tuple(gold)), [written(text) for text in texts]
    )
    assert (found.documents, found.counts) == (2, {"predicted": 2, "gold": 3})
    # First document: one of two stated, one of two true. The second states nothing: its drug is called "failed".
    assert found.figures["precision"] == found.figures["recall"] == found.figures["micro f1"] == 0.25
    assert found.figures["macro f1"] == 0.25
    # Drugs: 1 and 0. Targets: both by abbreviations, and 0. Interactions: one of two, and 0.
    assert found.figures["accuracy of the drug"] == 0.5
    assert found.figures["accuracy of the target"] == 0.5
    assert found.figures["accuracy of the interaction"] == 0.25
    # Over all documents: one of two stated triples, one of three true ones.
    assert found.figures["ontology precision"] == 1 / 2
    assert found.figures["ontology recall"] == pytest.approx(1 / 3)
    assert found.figures["ontology f1"] == pytest.approx(0.4)
    # One drug of one stated, of two true.
    assert found.figures["ontology f1 of the drug"] == pytest.approx(2 / 3)


def test_answers_are_right_if_nothing_else_is_said() -> None:
    phrase = "the answer to the question given the context is"
    texts = [f"{phrase} yes.", f"we have that {phrase} no", f"{phrase} yes, it is.", "yes."]
    gold = GoldSet(tuple(Document("c", question="q") for _ in texts), ("yes", "no", "yes", "yes"))
    found = published_answers(gold, [Answer("yes", {}, -1.0, text, 0) for text in texts])
    assert (found.figures, found.failed) == ({"accuracy": 0.5}, 1)


def test_labels_that_are_unknown_are_ignored() -> None:
    phrase = "the type of this document is"
    texts = [
        f"{phrase} empty.",
        f"{phrase} resisting cell death | inducing angiogenesis | joy.",
        f"{phrase} cell death.",
    ]
    gold = tuple(map(frozenset, (["empty"], ["resisting cell death"], ["inducing angiogenesis"])))
    found = published_hallmarks(
        GoldSet(tuple(Document("s") for _ in texts), gold), [Classification((), {}, (), text, 0) for text in texts]
    )
    assert found.counts == {"matched": 2, "predicted": 3, "gold": 3}
    assert found.figures == {"micro F1": 4 / 6}


def test_a_report_has_both_kinds_of_figures_for_both_models() -> None:
    gold = concepts(frozenset({("C1", "D1")}))
    right = written(f"{exists('lithium', 'tremor')}.", ("Lithium", "tremor"))
    report = report_concepts(gold, [right], [written("")], names=("float32", "int8"), as_published=True)
    assert [each.figures["F1"] for each in report.published.values()] == [1, 0]
    text = report.to_markdown()
    assert "## As published" in text
    assert "| float32 | 1.0000 | 1.0000 | 1.0000 |" in text
    assert "Int8: documents counted 1, texts that state nothing 1, true positives 0, false positives 0" in text
    assert report.to_dict()["published"]["int8"]["figures"]["F1"] == 0


@pytest.mark.parametrize("task", ["bc5cdr", "ddi", "kd-dti", "hoc", "pubmedqa"])
def test_every_published_task_has_them_and_they_are_no_default(task: str) -> None:
    relation = Relations((), (), "", 0, complete=True)
    probabilities = {"yes": 1.0, "no": 0.0, "maybe": 0.0}
    cases = {
        "bc5cdr": (frozenset({("C1", "D1")}), relation),
        "ddi": (frozenset({("a", "b", "c")}), relation),
        "kd-dti": (frozenset({("a", "b", "c")}), relation),
        "hoc": (frozenset({"empty"}), Classification(("empty",), {"empty": 1.0}, (), "", 0)),
        "pubmedqa": ("yes", Answer("yes", probabilities, -1.0, "", 0)),
    }
    gold, prediction = cases[task]
    gold_set = GoldSet((Document("x", question="q"),), (gold,), LEXICON)
    assert report_task(task, gold_set, [prediction]).to_dict()["published"] == {}
    published = report_task(task, gold_set, [prediction], as_published=True).to_dict()["published"]
    assert published["the model"]["documents"] == 1


def test_without_figures_there_is_no_section() -> None:
    assert list(published_section({})) == []
    for report in (report_answers, report_concepts, report_hallmarks, report_triples):
        assert (report.__kwdefaults__ or {})["as_published"] is False
