"""Relation extraction: the relations that a document states."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.state import AllowedTokens
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.results import Generation
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.source import SourceBuilder, title_and_abstract
from biogpt_onnx.tasks.results import Relation, Relations
from biogpt_onnx.tasks.statements.constraint import StatementConstraint
from biogpt_onnx.tasks.statements.entity_names import entity_names
from biogpt_onnx.tasks.statements.mentions import MentionFinder
from biogpt_onnx.tasks.statements.segments import FixedTokens, OneOf, SourceEntity
from biogpt_onnx.tasks.statements.template import HEAD, RELATION, TAIL, StatementTemplate

# Microsoft's scripts allow 1,024 tokens; a prompt leaves fewer.
_CONFIG = GenerationConfig(max_new_tokens=1024)


@dataclass(frozen=True)
class RelationTask:
    """Relation extraction with one form of statement.

    Attributes:
        name: The task's name, as a bundle's manifest records it.
        statement: The template of the sentence that states one relation, with {head}, {tail} and perhaps {relation};
            the model separates statements with ";" and ends the last with a full stop.
        relation: The name of the relation if the statement has no {relation}.
        labels: The texts that may stand for {relation}; empty for any text, which free decoding alone can give.
        head_type: The type of the first entity, such as "Chemical"; empty for any.
        tail_type: The type of the second entity; empty for any.
        soft_prompt_size: Rows of the soft prompt behind the source; None accepts any number.
        source: Makes the source text from the document.
        config: The decoding; by default greedy, as in Microsoft's scripts.
        least_new_tokens: Number of positions that a prompt must leave for the answer.

    Raises:
        ConfigError: The statement is malformed, or the relation has two names or none.
    """

    name: str
    statement: str
    relation: str = ""
    labels: tuple[str, ...] = ()
    head_type: str = ""
    tail_type: str = ""
    soft_prompt_size: int | None = 9
    source: SourceBuilder = title_and_abstract
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        if (RELATION in self._template.slots) == bool(self.relation):
            raise ConfigError(
                f"task {self.name}: either the statement holds {{relation}}, or `relation` says what it is called"
            )

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Relations]:
        """Extracts the relations of documents, which are decoded together; no result depends on the other documents.

        A document with named entities gets relations between these alone, and none if it lacks entities of one of the
        two types.

        Args:
            model: A bundle of the task.
            prepared: The documents.
            free: Lets the model generate any text, instead of keeping entities to the document's own words and
                relations to `labels`.

        Returns:
            The relations of each document.

        Raises:
            ConfigError: The task has no labels to keep to.
        """
        constraints = [None if free else self.constraint(model.tokenizer, one) for one in prepared]
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config, allowed=constraints)
        return [self._read(model.tokenizer, *pair) for pair in zip(prepared, generations, strict=True)]

    def combine(self, results: Sequence[Relations]) -> Relations:
        """Combines the relations of a document's windows, in order.

        A relation that several windows state is one, with the best of their scores.
        """
        stated: dict[tuple[str, str, str], list[Relation]] = {}
        for relation in (relation for result in results for relation in result.relations):
            stated.setdefault(_key(relation), []).append(relation)
        return Relations(
            relations=tuple(map(_joined, stated.values())),
            unparsed=tuple(text for result in results for text in result.unparsed),
            text="\n".join(result.text for result in results),
            read=max(result.read for result in results),
            complete=all(result.complete for result in results),
        )

    @cached_property
    def _template(self) -> StatementTemplate:
        return StatementTemplate(self.statement)

    def constraint(self, tokenizer: BioGptTokenizer, prepared: Prepared) -> AllowedTokens:
        """Returns the constraint that keeps relations to a document's own words, for `generate_ids(..., allowed=...)`.

        Raises:
            ConfigError: The task has no labels to keep to.
        """

        def ids(text: str) -> list[int]:
            return tokenizer.encode(text)[1:]

        entities = self._entities(tokenizer, prepared)
        if None in entities.values():
            return lambda generated: () if generated else (tokenizer.eos_id,)
        literals = [ids(literal) for literal in self._template.literals]
        segments: list[FixedTokens | SourceEntity | OneOf] = [FixedTokens(literals[0])]
        for slot, literal in zip(self._template.slots, literals[1:], strict=True):
            segment = self._labels(ids) if slot == RELATION else entities[slot]
            segments += [*([segment] if segment else []), *([FixedTokens(literal)] if literal else [])]
        return StatementConstraint(segments, _separator(tokenizer), [*ids("."), tokenizer.eos_id])

    def _entities(self, tokenizer: BioGptTokenizer, prepared: Prepared) -> dict[str, SourceEntity | OneOf | None]:
        """Returns the segments of {head} and {tail}; None for one of which the document names no entity."""
        if prepared.document.entities is None:
            entity = SourceEntity(tokenizer, prepared.symbols, prepared.source_ids)
            return {HEAD: entity, TAIL: entity}
        types = {HEAD: self.head_type, TAIL: self.tail_type}
        names = {slot: entity_names(tokenizer, prepared, wanted) for slot, wanted in types.items()}
        return {slot: OneOf(sequences) if sequences else None for slot, sequences in names.items()}

    def _labels(self, ids: Callable[[str], list[int]]) -> OneOf:
        if not self.labels:
            raise ConfigError(f"task {self.name} has no labels to keep to: give it some, or decode freely")
        return OneOf([ids(label) for label in self.labels])

    def _read(self, tokenizer: BioGptTokenizer, prepared: Prepared, generation: Generation) -> Relations:
        mentions = MentionFinder(prepared.source)
        found: dict[tuple[str, str, str], Relation] = {}
        unparsed = []
        for text, score in _statements(tokenizer, generation):
            relation = self._relation(text, score, prepared, mentions)
            if relation is None:
                unparsed.append(text)
            else:
                found.setdefault(_key(relation), relation)
        complete = generation.finish_reason == "eos"
        return Relations(tuple(found.values()), tuple(unparsed), generation.text.strip(), prepared.read, complete)

    def _relation(self, text: str, score: float, prepared: Prepared, mentions: MentionFinder) -> Relation | None:
        parses = list(self._template.parses(text))
        if not parses:
            return None
        # "and" may separate two entities or belong to one: the parse whose texts the document holds is taken.
        best = max(parses, key=lambda parse: self._num_known(parse, mentions))
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

    def _num_known(self, parse: dict[str, str], mentions: MentionFinder) -> int:
        known = [mentions.find(parse[slot]) is not None for slot in (HEAD, TAIL)]
        return sum([*known, parse.get(RELATION) in self.labels])


def _key(relation: Relation) -> tuple[str, str, str]:
    return relation.head.lower(), relation.relation, relation.tail.lower()


def _joined(stated: Sequence[Relation]) -> Relation:
    """Returns one relation for those of several windows, which may hold the same sentence."""
    first, spans = stated[0], dict.fromkeys((relation.head_span, relation.tail_span) for relation in stated)
    return replace(first, score=max(relation.score for relation in stated), other_spans=tuple(spans)[1:])


def _separator(tokenizer: BioGptTokenizer) -> int:
    (separator,) = tokenizer.encode(";")[1:]
    return separator


def _statements(tokenizer: BioGptTokenizer, generation: Generation) -> Iterator[tuple[str, float]]:
    """Yields each statement of a generated text, without the full stop at its end, and its log-probability in nats."""
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
