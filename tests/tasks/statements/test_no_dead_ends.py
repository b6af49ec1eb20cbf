"""Whatever tokens are chosen among the allowed ones, the text ends with whole statements that can be read back."""

import random
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx import BioGPT, ConfigError, GenerationConfig
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS
from biogpt_onnx.tasks import BC5CDR, DDI, KD_DTI, Document, NamedEntity, RelationTask, prepare_for, run
from biogpt_onnx.tasks.prompts.source import full_text
from biogpt_onnx.tasks.statements.mentions import is_part
from makers.models import FakeModel

OWN = (
    RelationTask("own", "that {head} leads to {tail}", relation="cause"),
    RelationTask("own", "of {tail} the cause is {head} -> so it is", relation="cause", source=full_text),
    RelationTask("own", "({head}) is {relation} (of) {tail}.", labels=("a", "a b", "b; c", "a & b"), source=full_text),
    RelationTask("own", "and {head} and {tail} and", relation="and"),
)
TASKS = (BC5CDR, KD_DTI, DDI, *OWN)

# Much that ends no entity, that ends statements, and that looks like a statement.
WORDS = st.sampled_from(
    [
        *("lithium", "tremor", "tremor.", "ALL", "5-FU", "FK 506", "FK506", "2", "(rats)", "[x]", "HBV & HCV", "a&b;c"),
        *("(", ")", "[", "%", "+", "-", ".", "...", ",", ";", ";;", "'s", "``", "–", "α", "ß", "İ", "\x01", "𝛼"),
        *("and", "exists", "is", "leads to", "the relation between", "the interaction between", "that", "unknown", "."),
        *("&amp;", "@-@", "a@-@b", "</w>", "e.g.", "U.S.", "vs.", "No.", "a_b", "1,000", "10^-6", "x" * 40),
    ]
)
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", " ", " ", "", "  ", "\n"])), min_size=1, max_size=14).map(
    lambda pieces: "".join(word + space for word, space in pieces)
)


def with_vocabulary(mini: BioGPT, chance: random.Random, kept: str) -> BioGPT:
    """The model with a vocabulary of characters, of which some are missing, and of random merges of these."""
    symbols = dict.fromkeys(SPECIAL_TOKENS)
    for character in sorted({*"abcdefghijklmnopqrstuvwxyzALFKUHBVC0123456789()[]%+-.,;'`&#@^_<>/|", *kept}):
        if character in kept or chance.random() < 0.9:
            symbols |= dict.fromkeys((character, character + END_OF_WORD))
    merges: list[tuple[str, str]] = []
    for _ in range(chance.randrange(120)):
        first, second = (chance.choice(list(symbols)[len(SPECIAL_TOKENS) :]) for _ in range(2))
        if END_OF_WORD not in first and (first, second) not in merges:
            merges.append((first, second))
            # Some merges give no symbol of the vocabulary.
            if chance.random() < 0.9:
                symbols[first + second] = None
    tokenizer = BioGptTokenizer(list(symbols), merges, soft_prompt_size=9)
    return BioGPT(mini._backend, tokenizer, mini.manifest)


def walking(model: BioGPT, seed: int, max_positions: int) -> BioGPT:
    """A model that gives all tokens scores by chance."""

    def logits(past: list[int]) -> npt.NDArray[np.float32]:
        return np.random.default_rng([seed, *past[-8:], len(past)]).random(vocab_size, dtype=np.float32)

    vocab_size = model.tokenizer.vocab_size
    architecture = replace(model.manifest.architecture, max_positions=max_positions)
    fake = FakeModel(logits, vocab_size, max_positions)
    return BioGPT(fake.backend, model.tokenizer, replace(model.manifest, architecture=architecture))


@settings(max_examples=60, deadline=None)
@given(
    text=TEXTS,
    title=TEXTS | st.just(""),
    task=st.sampled_from(TASKS),
    named=st.none() | st.lists(WORDS, max_size=4),
    room=st.integers(1, 60) | st.just(2000),
    seed=st.integers(0, 2**32),
)
def test_every_walk_ends_with_statements_of_the_documents_own_words(  # noqa: PLR0913, PLR0917 -- what is drawn
    mini: BioGPT, text: str, title: str, task: RelationTask, named: list[str] | None, room: int, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- a test
    kept = task.statement + "".join(task.labels) + "x;.&@-"
    model = with_vocabulary(mini, chance, kept)
    entities = None if named is None else tuple(map(NamedEntity, named))
    document = Document(f"x {text}", title=title, entities=entities)
    # Either of two settings bounds the room.
    by_positions = chance.random() < 0.5 and room > 1
    task = replace(
        task, distinct=False, least_new_tokens=1, config=GenerationConfig(max_new_tokens=2000 if by_positions else room)
    )
    prompt_size = len(prepare_for(task, model, document).prompt_ids)
    positions = prompt_size + (room - 1 if by_positions else 2000)
    try:
        (found,) = run(task, walking(model, seed, positions), [document])
    except ConfigError as error:
        # A merge of characters that yields no symbol may make a word of the statement unknown.
        assert "the bundle's vocabulary lacks characters" in str(error)  # noqa: PT017 -- often there is none
        return
    assert found.unparsed == ()
    assert found.complete or room < 1000
    for relation in found.relations:
        assert relation.in_source, (relation, found.text)
        assert relation.relation in (task.labels or (task.relation,))
    assert len(found.relations) > 0 or found.text == ""


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=3),
    task=st.sampled_from(TASKS),
    named=st.none() | st.lists(WORDS, max_size=3),
    room=st.sampled_from([12, 30, 60, 400]),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_stated_of_a_batch_relates_nothing_with_itself_or_a_part_of_itself(  # noqa: PLR0913, PLR0917 -- what is drawn
    mini: BioGPT, texts: list[str], task: RelationTask, named: list[str] | None, room: int, seed: int
) -> None:
    entities = None if named is None else tuple(map(NamedEntity, named))
    # The first has a single candidate, which can be related with nothing else.
    documents = [Document("lithium"), *(Document(f"x {text}", entities=entities) for text in texts)]
    task = replace(task, least_new_tokens=1, config=GenerationConfig(max_new_tokens=room))
    model = walking(mini, seed, 2000)
    together = run(task, model, documents, batch_size=len(documents))
    everything = run(replace(task, distinct=False), model, documents, batch_size=len(documents))
    assert together[0].relations == ()
    for document, found, unfiltered in zip(documents, together, everything, strict=True):
        assert run(task, model, [document]) == [found]
        assert (found.text, found.unparsed, found.complete) == (unfiltered.text, (), unfiltered.complete)
        for relation in found.relations:
            is_part_of_other = is_part(relation.head, relation.tail) or is_part(relation.tail, relation.head)
            assert relation.in_source
            assert not is_part_of_other or document.entities is not None
            assert relation.head.lower() != relation.tail.lower()
