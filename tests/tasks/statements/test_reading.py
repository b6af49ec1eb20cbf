import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.results import Generation, Hypothesis, Timings, Usage
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID
from biogpt_onnx.tasks import BC5CDR, DDI, Document, NamedEntity, RelationTask, run
from biogpt_onnx.tasks.statements.reading import Statement, read_free
from makers.scripted import scripted

ONE = "the relation between lithium and tremor exists"
TWO = "the relation between lithium and ataxia exists"
INT = "the interaction between warfarin and aspirin is int"


def generation_of(mini: BioGPT, text: str) -> Generation:
    ids = [*mini.tokenizer.encode(text)[1:], EOS_ID]
    scores = tuple(-float(place + 1) for place in range(len(ids)))
    return Generation.of((Hypothesis(text, tuple(ids), sum(scores), scores, "eos"),), Timings(0, 0, 0, 0), Usage(1))


def read(mini: BioGPT, text: str, task: RelationTask = BC5CDR) -> list[Statement]:
    return list(read_free(mini.tokenizer, task._template, generation_of(mini, text)))


def parts(statements: list[Statement]) -> list[tuple[str, bool]]:
    return [(statement.text, bool(statement.parses)) for statement in statements]


@pytest.mark.parametrize(
    "lead_in",
    [
        *("in conclusion,", "in conclusion ,", "we can conclude that", "we have that", "learned1 learned2 learned9"),
        "learned1 in conclusion, we can conclude that",
    ],
)
def test_idle_words_before_a_statement_are_left_out(mini: BioGPT, lead_in: str) -> None:
    for task, statement in ((BC5CDR, ONE), (DDI, INT)):
        assert parts(read(mini, f"{lead_in} {statement}.", task)) == [(statement, True)]
        later = read(mini, f"{statement}; {lead_in} {statement}.", task)
        assert parts(later) == [(statement, True)] * 2


def test_idle_words_count_in_no_score(mini: BioGPT) -> None:
    lead_in = "in conclusion,"
    (statement,) = read(mini, f"{lead_in} {ONE}.")
    before = len(mini.tokenizer.encode(lead_in)) - 1
    size = len(mini.tokenizer.encode(f"{lead_in} {ONE}."))
    assert statement.score == -sum(range(before + 1, size + 1))


def test_idle_words_alone_and_other_words_are_handed_over(mini: BioGPT) -> None:
    assert parts(read(mini, "in conclusion, nothing.")) == [("in conclusion, nothing", False)]
    assert parts(read(mini, f"it is safe. in conclusion, {ONE}.")) == [("it is safe.", False), (ONE, True)]
    # Before the published scripts' idle words only: others are part of no statement.
    assert parts(read(mini, f"therefore {ONE}.")) == [(f"therefore {ONE}", False)]


def test_words_behind_a_statement_do_not_spoil_it(mini: BioGPT) -> None:
    assert parts(read(mini, f"{ONE} in rats; {TWO}.")) == [(ONE, True), ("in rats", False), (TWO, True)]


def test_every_statement_may_end_with_a_full_stop_or_a_semicolon(mini: BioGPT) -> None:
    assert parts(read(mini, f"{ONE}.; {TWO};")) == [(ONE, True), (TWO, True)]
    assert parts(read(mini, "")) == []


@pytest.mark.parametrize("pair", [("a; b", "tremor"), ("lithium", "a; b; c"), ("a; b", "c; d")])
def test_a_semicolon_in_a_name_divides_no_statement(mini: BioGPT, pair: tuple[str, str]) -> None:
    text = f"the relation between {pair[0]} and {pair[1]} exists"
    found = read(mini, f"{ONE}; {text}; {TWO}.")
    assert [statement.parses[0] for statement in found] == [
        {"head": "lithium", "tail": "tremor"},
        {"head": pair[0], "tail": pair[1]},
        {"head": "lithium", "tail": "ataxia"},
    ]


def test_an_unfinished_statement_takes_no_words_of_the_next(mini: BioGPT) -> None:
    broken = "the relation between lithium"
    assert parts(read(mini, f"{broken}; {ONE}; and more; {TWO}.")) == [
        (broken, False),
        (ONE, True),
        ("and more", False),
        (TWO, True),
    ]


@pytest.mark.parametrize("free", [False, True])
def test_a_given_name_may_hold_a_semicolon(mini: BioGPT, free: bool) -> None:  # noqa: FBT001
    text = "Lithium caused tremor; ataxia and pain."
    entities = (
        NamedEntity("Lithium", "Chemical"),
        NamedEntity("tremor; ataxia", "Disease", ((15, 29),), "D1"),
        NamedEntity("pain", "Disease"),
    )
    script = "the relation between lithium and tremor; ataxia exists; the relation between lithium and pain exists."
    (found,) = run(BC5CDR, scripted(mini, script), [Document(text, entities=entities)], free=free)
    assert [(one.tail, one.tail_span) for one in found.relations] == [("tremor; ataxia", (15, 29)), ("pain", (34, 38))]
    assert (found.unparsed, found.complete) == ((), True)


def test_words_of_an_own_statement_may_be_written_otherwise_than_they_are_given(mini: BioGPT) -> None:
    # Detokenized, the arrow and the brackets have other spaces.
    task = RelationTask("own", "effect: ( {head} ) -> {tail} .", relation="cause")
    (found,) = run(task, scripted(mini, "effect: ( lithium ) -> tremor ."), ["Lithium caused tremor."])
    assert [(one.head, one.tail) for one in found.relations] == [("Lithium", "tremor")]
    assert found.unparsed == ()
