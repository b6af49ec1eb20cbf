import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID
from biogpt_onnx.tasks import BC5CDR, Document, NamedEntity, RelationTask, prepare_for
from biogpt_onnx.tasks.statements.distinct import excluding_parts

TEXT = "Lithium toxicity and tremor. Then a tremor and toxicity were seen; a second lithium toxicity too."
TAIL_FIRST = RelationTask("own", "that {tail} comes from {head}", relation="cause")


def accepts(model: BioGPT, written: str, document: Document, task: RelationTask = BC5CDR) -> bool:
    ids = [*model.tokenizer.encode(written)[1:], EOS_ID]
    constraint = task.constraint(model.tokenizer, prepare_for(task, model, document), distinct=True)
    return all(token in constraint(ids[:size]) for size, token in enumerate(ids))


def said(head: str, tail: str) -> str:
    return f"the relation between {head} and {tail} exists."


@pytest.mark.parametrize(
    ("head", "tail", "expected"),
    [
        ("lithium", "tremor", True),
        ("lithium", "lithium toxicity", True),
        ("lithium toxicity", "tremor and toxicity", True),
        ("lithium", "lithium", False),
        ("lithium toxicity", "toxicity", False),
        ("lithium toxicity and tremor", "tremor", False),
        ("lithium toxicity and tremor", "toxicity and tremor", False),
    ],
)
def test_a_tail_is_no_part_of_its_head(mini: BioGPT, head: str, tail: str, expected: bool) -> None:  # noqa: FBT001
    assert accepts(mini, said(head, tail), Document(TEXT)) == expected
    assert accepts(mini, f"that {tail} comes from {head}.", Document(TEXT), TAIL_FIRST) == expected
    entities = (NamedEntity(head), NamedEntity(tail))
    assert accepts(mini, said(head, tail), Document(TEXT, entities=entities)) == expected


def test_a_head_that_leaves_no_tail_cannot_be_stated(mini: BioGPT) -> None:
    assert accepts(mini, said("lithium", "tremor"), Document("Lithium tremor"))
    document = Document("lithium lithium")
    constraint = BC5CDR.constraint(mini.tokenizer, prepare_for(BC5CDR, mini, document), distinct=True)
    # A longer tail than the head is all that is left.
    assert accepts(mini, said("lithium", "lithium lithium"), document)
    begun = mini.tokenizer.encode("the relation between lithium")[1:]
    assert not set(mini.tokenizer.encode("lithium")[1:]) & set(constraint(begun))
    alone = BC5CDR.constraint(mini.tokenizer, prepare_for(BC5CDR, mini, Document("lithium")), distinct=True)
    assert alone([]) == (EOS_ID,)


def test_without_the_rule_a_tail_may_be_its_head(mini: BioGPT) -> None:
    ids = [*mini.tokenizer.encode(said("lithium", "lithium"))[1:], EOS_ID]
    constraint = BC5CDR.constraint(mini.tokenizer, prepare_for(BC5CDR, mini, Document(TEXT)))
    assert all(token in constraint(ids[:size]) for size, token in enumerate(ids))


def test_parts_are_whole_words_whatever_their_full_stops(mini: BioGPT) -> None:
    excludes = excluding_parts(mini.tokenizer)

    def ids(text: str) -> tuple[int, ...]:
        return tuple(mini.tokenizer.encode(text)[1:])

    assert excludes(ids("atrial flutter"), ids("flutter"))
    assert not excludes(ids("atrial flutter"), ids("trial"))
    assert not excludes(ids("flutter"), ids("atrial flutter"))
    assert excludes((*ids("severe"), *ids("tremor. x")[:-1]), ids("tremor"))
