"""Relation extraction: a document in, the relations that it states out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.state import AllowedTokens
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.results import Generation
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.fitting import Prepared
from biogpt_onnx.tasks.mentions import Mentions
from biogpt_onnx.tasks.names import names_of_type
from biogpt_onnx.tasks.results import Relation, Relations
from biogpt_onnx.tasks.source import SourceOf, title_and_abstract
from biogpt_onnx.tasks.statement import HEAD, RELATION, TAIL, Statement
from biogpt_onnx.tasks.statement_parts import Entity, OneOf, Words
from biogpt_onnx.tasks.statement_rule import StatementRule

# Microsoft's scripts allow 1,024 tokens; a prompt leaves fewer.
_CONFIG = GenerationConfig(max_new_tokens=1024)


@dataclass(frozen=True)
class RelationTask:
    """What a model was trained to say about the relations in a document.

    Attributes:
        name: as a bundle's manifest has it.
        statement: how one relation is stated, with {head}, {tail} and maybe {relation}; several are divided by ";", and
            a full stop ends the last.
        relation: what a relation is called where its statement names none.
        labels: what may stand for {relation}; empty for anything, which free decoding alone can give.
        soft_prompt_size: rows of the soft prompt behind the source; None for whatever the bundle has.
        source: the form of the document in the prompt.
        config: how to decode; by default greedily, as Microsoft's scripts do.
        least_new_tokens: room for the answer that a document must leave.
    """

    name: str
    statement: str
    relation: str = ""
    labels: tuple[str, ...] = ()
    head_type: str = ""
    tail_type: str = ""
    soft_prompt_size: int | None = 9
    source: SourceOf = title_and_abstract
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        if (RELATION in self._statement.fields) == bool(self.relation):
            raise ConfigError(
                f"task {self.name}: either the statement holds {{relation}}, or `relation` says what it is called"
            )

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Relations]:
        """The relations of each document; they are decoded together, and none depends on its neighbours.

        A document that says what it names gets relations between these names alone; none where one of the two cannot
        be named.

        Args:
            model: a bundle of the task.
            prepared: the documents.
            free: let the model write what it likes, instead of keeping entities to the document's own words and
                relations to `labels`.

        Raises:
            ConfigError: there are no labels to keep to.
        """
        rules = [None if free else self.rule(model.tokenizer, one) for one in prepared]
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config, allowed=rules)
        return [self._read(model.tokenizer, *pair) for pair in zip(prepared, generations, strict=True)]

    @cached_property
    def _statement(self) -> Statement:
        return Statement(self.statement)

    def rule(self, tokenizer: BioGptTokenizer, prepared: Prepared) -> AllowedTokens:
        """What keeps the relations of a document to its own words, for `generate_ids(..., allowed=...)`.

        Raises:
            ConfigError: there are no labels to keep to.
        """

        def ids(text: str) -> list[int]:
            return tokenizer.encode(text)[1:]

        entities = self._entities(tokenizer, prepared)
        if None in entities.values():
            return lambda written: () if written else (tokenizer.eos_id,)
        literals = [ids(words) for words in self._statement.words]
        parts: list[Words | Entity | OneOf] = [Words(literals[0])]
        for name, literal in zip(self._statement.fields, literals[1:], strict=True):
            part = self._labels(ids) if name == RELATION else entities[name]
            parts += [*([part] if part else []), *([Words(literal)] if literal else [])]
        return StatementRule(parts, _separator(tokenizer), [*ids("."), tokenizer.eos_id])

    def _entities(self, tokenizer: BioGptTokenizer, prepared: Prepared) -> dict[str, Entity | OneOf | None]:
        """What may stand for {head} and for {tail}; None where the document names nothing of the kind."""
        if prepared.document.entities is None:
            entity = Entity(tokenizer, prepared.symbols, prepared.source_ids)
            return {HEAD: entity, TAIL: entity}
        types = {HEAD: self.head_type, TAIL: self.tail_type}
        names = {field: names_of_type(tokenizer, prepared, wanted) for field, wanted in types.items()}
        return {field: OneOf(texts) if texts else None for field, texts in names.items()}

    def _labels(self, ids: Callable[[str], list[int]]) -> OneOf:
        if not self.labels:
            raise ConfigError(f"task {self.name} has no labels to keep to: give it some, or decode freely")
        return OneOf([ids(label) for label in self.labels])

    def _read(self, tokenizer: BioGptTokenizer, prepared: Prepared, generation: Generation) -> Relations:
        mentions = Mentions(prepared.source)
        found: dict[tuple[str, str, str], Relation] = {}
        unparsed = []
        for text, score in _statements(tokenizer, generation):
            relation = self._relation(text, score, prepared, mentions)
            if relation is None:
                unparsed.append(text)
            else:
                found.setdefault((relation.head.lower(), relation.relation, relation.tail.lower()), relation)
        complete = generation.finish_reason == "eos"
        return Relations(tuple(found.values()), tuple(unparsed), generation.text.strip(), prepared.read, complete)

    def _relation(self, text: str, score: float, prepared: Prepared, mentions: Mentions) -> Relation | None:
        readings = list(self._statement.readings(text))
        if not readings:
            return None
        # "and" may part two entities or stand within one: what the document holds decides.
        best = max(readings, key=lambda reading: self._knows(reading, mentions))
        head, tail = (mentions.find(best[name]) for name in (HEAD, TAIL))
        full_text = prepared.document.full_text
        return Relation(
            head=best[HEAD] if head is None else full_text[slice(*head)],
            relation=best.get(RELATION, self.relation),
            tail=best[TAIL] if tail is None else full_text[slice(*tail)],
            head_span=head,
            tail_span=tail,
            score=score,
        )

    def _knows(self, reading: dict[str, str], mentions: Mentions) -> int:
        known = [mentions.find(reading[name]) is not None for name in (HEAD, TAIL)]
        return sum([*known, reading.get(RELATION) in self.labels])


def _separator(tokenizer: BioGptTokenizer) -> int:
    (separator,) = tokenizer.encode(";")[1:]
    return separator


def _statements(tokenizer: BioGptTokenizer, generation: Generation) -> Iterator[tuple[str, float]]:
    """Each part of what was written, without the full stop at the end, and its log-probability."""
    separator = _separator(tokenizer)
    log_probabilities = generation.sequences[0].log_probabilities
    ids, scores = [], []
    pairs = list(zip(generation.token_ids, log_probabilities, strict=True))
    for token, score in [*pairs, (separator, 0.0)]:
        scores.append(score)
        if token != separator:
            ids.append(token)
            continue
        text = tokenizer.decode(ids).strip()
        if text:
            yield text.removesuffix(".").rstrip(), fsum(scores)
        ids, scores = [], []
