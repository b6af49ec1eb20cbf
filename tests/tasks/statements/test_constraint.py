import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID
from biogpt_onnx.tasks import BC5CDR, DDI, KD_DTI, Document, RelationTask, prepare_for
from biogpt_onnx.tasks.statements.constraint import StatementConstraint
from biogpt_onnx.tasks.statements.mentions import MentionFinder

TEXT = "Lithium caused tremor and ataxia in rats; 5-fluorouracil (5-FU) did not. The 5-FU-treated rats had pain."


def constraint_of(model: BioGPT, task: RelationTask, text: str) -> StatementConstraint:
    constraint = task.constraint(model.tokenizer, prepare_for(task, model, Document(text)))
    assert isinstance(constraint, StatementConstraint)
    return constraint


def accepts(constraint: StatementConstraint, tokenizer: BioGptTokenizer, written: str) -> bool:
    ids = [*tokenizer.encode(written)[1:], EOS_ID]
    return all(token in constraint(ids[:size]) for size, token in enumerate(ids))


def said(*pairs: tuple[str, str]) -> str:
    return "; ".join(f"the relation between {head} and {tail} exists" for head, tail in pairs) + "."


@pytest.mark.parametrize(
    "pairs",
    [
        [("lithium", "tremor")],
        [("lithium", "tremor and ataxia")],
        [("tremor and ataxia", "lithium")],
        [("lithium", "tremor"), ("lithium", "ataxia"), ("5-fluorouracil", "pain")],
        [("5-fluorouracil (5-fu)", "pain")],
        [("5-fu", "pain")],
    ],
)
def test_what_stands_in_the_source_may_be_said(mini: BioGPT, pairs: list[tuple[str, str]]) -> None:
    assert accepts(constraint_of(mini, BC5CDR, TEXT), mini.tokenizer, said(*pairs))


@pytest.mark.parametrize(
    "text",
    [
        said(("aspirin", "tremor")),
        said(("lithium", "headache")),
        said(("lithium", "tremor ataxia")),
        said(("lithium", "rats; 5-fluorouracil")),
        said((", lithium", "tremor")),
        "lithium causes tremor.",
        "the relation between lithium and tremor exists",
        "the relation between lithium and tremor exists. the relation between lithium and pain exists.",
    ],
)
def test_nothing_else_may(mini: BioGPT, text: str) -> None:
    assert not accepts(constraint_of(mini, BC5CDR, TEXT), mini.tokenizer, text)


def test_there_may_be_nothing_to_say(mini: BioGPT) -> None:
    assert EOS_ID in constraint_of(mini, BC5CDR, TEXT)([])


def test_a_word_at_the_end_of_a_sentence_may_stand_without_its_full_stop(mini: BioGPT) -> None:
    text = "Lithium caused tremor. Then the rats had severe pain. They died."
    # Before small letters the full stop stays with its word.
    assert "tremor.</w>" in "".join(prepare_for(BC5CDR, mini, Document(text)).symbols)
    constraint = constraint_of(mini, BC5CDR, text)
    assert accepts(constraint, mini.tokenizer, said(("lithium", "tremor"), ("lithium", "severe pain")))
    assert not accepts(constraint, mini.tokenizer, said(("lithium", "tremor then")))


def test_the_full_stop_that_the_prompt_adds_to_a_title_is_in_no_entity(mini: BioGPT) -> None:
    for title in ("Lithium", "Effects of lithium 2"):
        prepared = prepare_for(BC5CDR, mini, Document("we saw tremor. Then 5-FU was given.", title=title))
        constraint = BC5CDR.constraint(mini.tokenizer, prepared)
        assert isinstance(constraint, StatementConstraint)
        name = title.split()[-1].lower()
        assert accepts(constraint, mini.tokenizer, said((name, "tremor")))
        start = mini.tokenizer.encode(f"the relation between {name} and {name}.")[1:]
        begun = mini.tokenizer.encode(f"the relation between {name} and {name}")[1:]
        stop = set(start[len(begun) :])
        assert not stop & set(constraint(begun))
        assert not accepts(constraint, mini.tokenizer, said((f"{name}. we", "tremor")))
        assert not accepts(constraint, mini.tokenizer, said((f"{name}.", "tremor")))
        assert accepts(constraint, mini.tokenizer, said(("5-fu", "tremor")))


def test_the_full_stop_of_a_document_may_be_in_an_entity(mini: BioGPT) -> None:
    constraint = constraint_of(mini, BC5CDR, "Lithium vs. placebo caused tremor.")
    assert accepts(constraint, mini.tokenizer, said(("lithium vs. placebo", "tremor")))


def test_brackets_alone_are_no_entity(mini: BioGPT) -> None:
    assert not accepts(constraint_of(mini, BC5CDR, "Lithium ( ( ) caused pain."), mini.tokenizer, said(("(", "pain")))


def test_who_repeats_a_statement_may_only_end(mini: BioGPT) -> None:
    constraint = constraint_of(mini, BC5CDR, TEXT)
    repeated = said(("lithium", "tremor"), ("lithium", "ataxia"), ("lithium", "tremor"))
    assert accepts(constraint, mini.tokenizer, repeated)
    ids = mini.tokenizer.encode(repeated)[1:-1]
    assert constraint(ids) == tuple(mini.tokenizer.encode(".")[1:])
    other = mini.tokenizer.encode(said(("lithium", "tremor"), ("lithium", "ataxia")))[1:-1]
    assert len(constraint(other)) == 2


def test_a_word_that_the_vocabulary_lacks_is_never_part_of_an_entity(mini: BioGPT) -> None:
    text = "The 5\N{EN DASH}fluorouracil dose caused pain."
    prepared = prepare_for(BC5CDR, mini, Document(text))
    assert mini.tokenizer.unk_id in prepared.source_ids
    constraint = constraint_of(mini, BC5CDR, text)
    start = mini.tokenizer.encode("the relation between")[1:]
    assert mini.tokenizer.unk_id not in constraint(start)
    assert accepts(constraint, mini.tokenizer, said(("dose", "pain")))


def test_labels_are_those_that_are_known(mini: BioGPT) -> None:
    constraint = constraint_of(mini, KD_DTI, "Aspirin blocks cox-1.")
    for label in ("inhibitor", "inhibitory allosteric modulator", "cross-linking/alkylation", "product of", "other"):
        assert accepts(constraint, mini.tokenizer, f"the interaction between aspirin and cox-1 is {label}."), label
    assert not accepts(constraint, mini.tokenizer, "the interaction between aspirin and cox-1 is friend.")


def test_a_label_may_be_followed_by_another_statement(mini: BioGPT) -> None:
    constraint = constraint_of(mini, DDI, "Warfarin, aspirin and heparin interact.")
    text = (
        "the interaction between warfarin and aspirin is int; the interaction between warfarin and heparin is effect."
    )
    assert accepts(constraint, mini.tokenizer, text)


def test_a_constraint_that_is_asked_out_of_order_answers_the_same(mini: BioGPT) -> None:
    ids = [*mini.tokenizer.encode(said(("lithium", "tremor"), ("lithium", "ataxia"), ("5-fu", "pain")))[1:], EOS_ID]
    in_order, shuffled = constraint_of(mini, BC5CDR, TEXT), constraint_of(mini, BC5CDR, TEXT)
    expected = [in_order(ids[:size]) for size in range(len(ids))]
    sizes = list(range(len(ids)))
    random.Random(0).shuffle(sizes)  # noqa: S311 -- a test
    assert {size: shuffled(ids[:size]) for size in sizes} == dict(enumerate(expected))


words = st.lists(
    st.sampled_from(["lithium", "tremor", "and", "exists", "5-FU", "(rats)", ";", ".", "is", "the relation between"]),
    min_size=1,
    max_size=12,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(text=words, seed=st.integers(0, 2**32))
def test_whatever_may_be_said_is_in_the_source(mini: BioGPT, text: str, seed: int) -> None:
    if not any(map(str.isalnum, text)):
        return
    constraint, chance = constraint_of(mini, BC5CDR, text), random.Random(seed)  # noqa: S311 -- a test
    ids: list[int] = []
    while (allowed := constraint(ids)) and len(ids) < 60:
        ids.append(chance.choice(allowed))
    if ids[-1:] != [EOS_ID]:
        return
    mentions = MentionFinder(prepare_for(BC5CDR, mini, Document(text)).source)
    for statement in statements(mini.tokenizer, ids[:-1]):
        known = [
            all(mentions.find(part) is not None for part in parse.values())
            for parse in BC5CDR._template.parses(statement)
        ]
        assert any(known), statement


def statements(tokenizer: BioGptTokenizer, ids: Sequence[int]) -> list[str]:
    written = tokenizer.decode(ids).strip().removesuffix(".")
    return [part.strip() for part in written.split("; ")] if written else []


def test_the_annotated_relations_of_a_corpus_may_be_said(mini: BioGPT, data_folder: Path) -> None:
    documents = json.loads((data_folder / "bc5cdr" / "valid.json").read_text(encoding="utf-8"))
    accepted = total = 0
    for item in list(documents.values())[:60]:
        document = Document(item["abstract"], title=item["title"])
        prepared = prepare_for(BC5CDR, mini, document)
        if mini.tokenizer.unk_id in prepared.source_ids:
            continue
        mentions = MentionFinder(prepared.source)
        for relation in item["relations"]:
            pair = (_form(item["chemical2id"], relation["chemical"]), _form(item["disease2id"], relation["disease"]))
            if all(mentions.find(name) for name in pair):
                constraint = BC5CDR.constraint(mini.tokenizer, prepared)
                total += 1
                accepted += accepts(constraint, mini.tokenizer, said(pair))
    assert total > 50
    # Some are parts of words that the tokenizer does not part.
    assert accepted >= 0.98 * total


def _form(forms: dict[str, str], concept: str) -> str:
    return next((form for form, ids in forms.items() if concept in ids.split("|")), "no such form")
