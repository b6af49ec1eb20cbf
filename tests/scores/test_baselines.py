import pytest

from biogpt_onnx.scores.baselines.cooccurrence import pairs_in_documents, pairs_in_sentences, sentences
from biogpt_onnx.scores.baselines.majority import MajorityBaseline, majority_baseline
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.tasks.document import Document

LEXICON = Lexicon(
    {
        "lithium": "C1",
        "lithium carbonate": "C2",
        "5-ht": "C3",
        "(+)-pentazocine": "C4",
        "rd": "C5|C6",
        "placebo": "-1",
        "+": "C7",
    },
    {"tremor": "D1", "renal failure": "D2", "acute renal failure": "D3"},
)


def in_document(text: str) -> frozenset[tuple[str, str]]:
    return pairs_in_documents([Document(text)], LEXICON)[0]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Lithium and tremor", {("C1", "D1")}),
        ("TREMOR: (lithium).", {("C1", "D1")}),
        ("lithium carbonate, tremor", {("C2", "D1")}),
        ("lithium with acute renal failure", {("C1", "D3")}),
        ("lithium: tremor, renal failure", {("C1", "D1"), ("C1", "D2")}),
        ("lithiums and tremor", set()),
        ("5-ht2 and tremor", set()),
        ("5-HT and tremor", {("C3", "D1")}),
        ("(+)-Pentazocine, tremor", {("C4", "D1")}),
        ("pentazocine, tremor", set()),
        ("RD: tremor", {("C5", "D1"), ("C6", "D1")}),
        ("placebo: tremor", set()),
        ("lithium", set()),
        ("", set()),
    ],
)
def test_concepts_are_found_as_whole_words_and_by_their_longest_names(text: str, pairs: set[tuple[str, str]]) -> None:
    assert in_document(text) == pairs


def test_a_sentence_is_less_than_a_document() -> None:
    document = Document(
        "Tremor was seen. Renal failure was not, with lithium (5-HT 3 mg/kg).", title="Lithium carbonate"
    )
    assert pairs_in_sentences([document], LEXICON) == (frozenset({("C1", "D2"), ("C3", "D2")}),)
    found = pairs_in_documents([document, Document("tremor")], LEXICON)
    assert found == (frozenset((c, d) for c in ("C1", "C2", "C3") for d in ("D1", "D2")), frozenset())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("A dose of 1.5 mg. (See below.)", ["A dose of 1.5 mg.", "(See below.)"]),
        ("E.g. this one, i.v. and more.", ["E.g. this one, i.v. and more."]),
        ("One.\n  Two", ["One.", "Two"]),
        ("", []),
    ],
)
def test_sentences_end_before_a_new_beginning(text: str, parts: list[str]) -> None:
    assert list(sentences(Document(text))) == parts
    assert list(sentences(Document(text, title="Title"))) == ["Title", *parts]


def sets(*labels: str) -> list[frozenset[str]]:
    return [frozenset((label,)) for label in labels]


def test_the_majority_is_that_of_the_training_set_where_there_is_one() -> None:
    found = majority_baseline(sets("no", "no"), sets("yes", "no", "yes"))
    assert found == MajorityBaseline(frozenset({"yes"}), of_training=True)
    assert found.name == 'the majority answer "yes" of the training set'


@pytest.mark.parametrize("training", [None, []])
def test_a_majority_of_the_gold_itself_says_so(training: list[frozenset[str]] | None) -> None:
    found = majority_baseline(sets("no", "no", "yes"), training)
    assert found == MajorityBaseline(frozenset({"no"}), of_training=False)
    assert "of these documents themselves" in found.name


def test_equally_frequent_answers_are_told_apart_by_name_and_not_by_order() -> None:
    assert (
        majority_baseline(sets("yes", "no"))
        == majority_baseline(sets("no", "yes"))
        == MajorityBaseline(frozenset({"no"}), of_training=False)
    )
