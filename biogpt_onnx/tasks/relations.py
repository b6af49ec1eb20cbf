"""Relation extraction: the relations that a document states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp, log

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.request_building import room_for_new_tokens
from biogpt_onnx.runtime.results import Generation, Usage
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.definitions.checks import check_settings, owner_of
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.entity_types import TypeNames
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.checks import check_answering, check_prompt, check_results, check_tokenizer
from biogpt_onnx.tasks.prompts.source import SourceBuilder, title_and_abstract
from biogpt_onnx.tasks.results import Relation, Relations
from biogpt_onnx.tasks.statements.constraint import Slot, StatementConstraint
from biogpt_onnx.tasks.statements.given_entities import GivenEntities, Mention
from biogpt_onnx.tasks.statements.mentions import MentionFinder, compared, is_part
from biogpt_onnx.tasks.statements.reading import Statement, read_constrained, read_free
from biogpt_onnx.tasks.statements.segments import FixedTokens, OneOf
from biogpt_onnx.tasks.statements.source_entity import SourceEntity
from biogpt_onnx.tasks.statements.template import HEAD, RELATION, TAIL, StatementTemplate

# Microsoft's scripts allow 1,024 tokens; a prompt leaves fewer.
_CONFIG = GenerationConfig(max_new_tokens=1024)

_HALF = log(0.5)


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
        type_names: Pairs of a type and another name by which documents may call it, beside the names that
            `is_of_type` knows.
        soft_prompt_size: Rows of the soft prompt behind the source; None accepts any number.
        source: Makes the source text from the document.
        config: The decoding; by default greedy, as in Microsoft's scripts.
        least_new_tokens: Number of positions that a prompt must leave for the answer.
        distinct: True to leave out relations of an entity with itself or with a part of itself. Two given entities are
            distinct if they have different names and different concepts, even if one's name is a part of the other's.
            Such statements are left out after decoding, which does not exclude them: a model that is kept from relating
            an entity with itself states another relation in its place, one that it held for less likely, where it had
            nothing to state.
        min_score: The least probability of a relation, which is the exponential of its score; less probable ones are
            left out.

    Raises:
        ConfigError: The statement is malformed, the relation has two names or none, the labels have no place in the
            statement or are not different ones, `type_names` have a type that is none of the task's, or `min_score` is
            no probability.
    """

    name: str
    statement: str
    relation: str = ""
    labels: tuple[str, ...] = ()
    head_type: str = ""
    tail_type: str = ""
    type_names: TypeNames = ()
    soft_prompt_size: int | None = 9
    source: SourceBuilder = title_and_abstract
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128
    distinct: bool = True
    min_score: float = 0.0

    def __post_init__(self) -> None:
        check_settings(owner_of(self), self)
        if (RELATION in self._template.slots) == bool(self.relation):
            raise ConfigError(
                f"task {self.name}: either the statement holds {{relation}}, or `relation` says what it is called"
            )
        if self.labels and self.relation:
            raise ConfigError(
                f"task {self.name}: `labels` name relations, but the statement has no {{relation}}: leave them out, or "
                "give it one"
            )
        if len(set(self.labels)) < len(self.labels) or not all(map(str.strip, self.labels)):
            raise ConfigError(f"task {self.name}: the labels are {self.labels!r}: give each of them once")
        types = [kind for kind in (self.head_type, self.tail_type) if kind]
        unknown = next((kind for kind, _ in self.type_names if kind not in types), None)
        if unknown is not None:
            known = ", ".join(dict.fromkeys(types)) or "none"
            raise ConfigError(
                f"task {self.name}: {unknown!r} of `type_names` is no type of the task{did_you_mean(unknown, types)}: "
                f"known are {known}"
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
            PromptError: A document names an entity where it holds something else.
        """
        check_answering(model, prepared, free=free)
        finders = [_EntityFinder(self, model.tokenizer, one) for one in prepared]
        rooms = [self._room(model, one) for one in prepared]
        rows = zip(prepared, finders, rooms, strict=True)
        constraints = [None if free else self._constraint(*row) for row in rows]
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config, allowed=constraints)
        read = zip(prepared, finders, constraints, generations, strict=True)
        return [self._read(model.tokenizer, *row) for row in read]

    def _room(self, model: BioGPT, prepared: Prepared) -> int:
        """Returns the number of tokens that an answer may have."""
        return room_for_new_tokens(prepared.prompt_ids, model.manifest.architecture.max_positions, self.config)

    def combine(self, results: Sequence[Relations]) -> Relations:
        """Combines the relations of a document's windows, in order.

        A relation that several windows state is one, with the best of their scores.

        Raises:
            ConfigError: There are no results, or they are of another type.
        """
        check_results(results, Relations)
        stated: dict[tuple[str | None, ...], list[Relation]] = {}
        for relation in (relation for result in results for relation in result.relations):
            stated.setdefault(_key(relation), []).append(relation)
        return Relations(
            relations=tuple(map(_joined, stated.values())),
            unparsed=tuple(text for result in results for text in result.unparsed),
            text="\n".join(result.text for result in results),
            read=max(result.read for result in results),
            complete=all(result.complete for result in results),
            finish_reason=next(
                (result.finish_reason for result in results if not result.complete), results[-1].finish_reason
            ),
            usage=Usage.total(result.usage for result in results),
        )

    @cached_property
    def _template(self) -> StatementTemplate:
        return StatementTemplate(self.statement)

    def constraint(
        self,
        tokenizer: BioGptTokenizer,
        prepared: Prepared,
        *,
        max_new_tokens: int | None = None,
    ) -> StatementConstraint:
        """Returns the constraint that keeps relations to a document's own words, for `generate_ids(..., allowed=...)`.

        Args:
            tokenizer: The model's tokenizer.
            prepared: The document with its prompt.
            max_new_tokens: The most tokens that the answer may have: no statement is begun or continued that could not
                be completed within them. None for any number.

        Raises:
            ConfigError: The task has no labels to keep to, or words that the vocabulary lacks; or an argument is of
                another type.
            PromptError: The document names an entity where it holds something else.
        """
        check_tokenizer(tokenizer)
        check_prompt(prepared)
        most = None if max_new_tokens is None else checks.whole_number(1)("max_new_tokens", max_new_tokens)
        finder = _EntityFinder(self, tokenizer, prepared)
        return self._constraint(prepared, finder, most)

    def _constraint(
        self, prepared: Prepared, finder: "_EntityFinder", max_new_tokens: int | None
    ) -> StatementConstraint:
        tokenizer = finder.tokenizer
        entities = finder.segments(prepared)
        first, *literals = self._template.literals
        slots: list[Slot] = [("", FixedTokens(self._ids(tokenizer, first)))]
        for slot, literal in zip(self._template.slots, literals, strict=True):
            slots.append((slot, self._labels(tokenizer) if slot == RELATION else entities[slot]))
            slots += [("", FixedTokens(self._ids(tokenizer, literal)))] if literal.strip() else []
        (separator,) = self._ids(tokenizer, ";")
        ending = [*self._ids(tokenizer, "."), tokenizer.eos_id]
        return StatementConstraint(slots, separator, ending, max_new_tokens=max_new_tokens)

    def _labels(self, tokenizer: BioGptTokenizer) -> OneOf:
        if not self.labels:
            raise ConfigError(f"task {self.name} has no labels to keep to: give it some, or decode freely")
        return OneOf([self._ids(tokenizer, label) for label in self.labels])

    def _ids(self, tokenizer: BioGptTokenizer, text: str) -> list[int]:
        """Returns the token ids of a part of the task's statements."""
        ids = tokenizer.encode(text)[1:]
        if not ids or tokenizer.unk_id in ids:
            raise ConfigError(
                f"task {self.name}: its statements hold {text!r}, of which the bundle's vocabulary lacks characters: "
                "use other words, or another bundle"
            )
        return ids

    def _read(
        self,
        tokenizer: BioGptTokenizer,
        prepared: Prepared,
        finder: "_EntityFinder",
        constraint: StatementConstraint | None,
        generation: Generation,
    ) -> Relations:
        found: dict[tuple[str | None, ...], Relation] = {}
        unparsed = []
        for statement in (
            read_free(tokenizer, self._template, generation)
            if constraint is None
            else read_constrained(tokenizer, constraint, self.labels, generation)
        ):
            if not statement.parses:
                unparsed.append(statement.text)
                continue
            relation = self._relation(statement, prepared, finder)
            if relation is not None and exp(relation.score) >= self.min_score:
                found.setdefault(_key(relation), relation)
        return Relations(
            tuple(found.values()),
            tuple(unparsed),
            generation.text.strip(),
            prepared.read,
            complete=_is_complete(constraint, generation),
            finish_reason=generation.finish_reason,
            usage=prepared.usage(generation),
        )

    def _relation(self, statement: Statement, prepared: Prepared, finder: "_EntityFinder") -> Relation | None:
        """Returns the relation of a statement; None if it relates something with itself, and the task forbids that."""
        # "and" may separate two entities or belong to one: the parse whose texts the document holds is taken.
        num_known = [self._num_known(parse, finder) for parse in statement.parses]
        known = (parse for parse, number in zip(statement.parses, num_known, strict=True) if number == max(num_known))
        best = next((parse for parse in known if not self.distinct or finder.are_distinct(parse)), None)
        if best is None:
            return None
        head, tail = (finder.find(slot, best[slot]) for slot in (HEAD, TAIL))
        full_text = prepared.document.full_text
        return Relation(
            head=best[HEAD] if head is None else full_text[slice(*head.span)],
            relation=best.get(RELATION, self.relation),
            tail=best[TAIL] if tail is None else full_text[slice(*tail.span)],
            head_span=None if head is None else head.span,
            tail_span=None if tail is None else tail.span,
            score=statement.score,
            head_concept=None if head is None else head.concept,
            tail_concept=None if tail is None else tail.concept,
        )

    def _num_known(self, parse: Mapping[str, str], finder: "_EntityFinder") -> tuple[int, int]:
        """Returns the numbers of a parse's given entities, and of its texts that are known at all."""
        given = [finder.given(slot, parse[slot]) is not None for slot in (HEAD, TAIL)]
        known = [finder.find(slot, parse[slot]) is not None for slot in (HEAD, TAIL)]
        return sum(given), sum([*known, parse.get(RELATION) in self.labels])


class _EntityFinder:
    """Finds the entities of a task's statements in a document: the given ones or, if there are none, any words."""

    def __init__(self, task: RelationTask, tokenizer: BioGptTokenizer, prepared: Prepared) -> None:
        self.tokenizer = tokenizer
        self._mentions = mentions = MentionFinder(prepared.source)
        types = {HEAD: task.head_type, TAIL: task.tail_type}
        self._given: Mapping[str, GivenEntities] = {}
        if prepared.document.entities is not None:
            self._given = {
                slot: GivenEntities(tokenizer, prepared, mentions, wanted, task.type_names)
                for slot, wanted in types.items()
            }

    def segments(self, prepared: Prepared) -> Mapping[str, SourceEntity | OneOf]:
        """Returns the segments of {head} and {tail}, which nothing completes if the document names no such entity."""
        if prepared.document.entities is None:
            entity = SourceEntity(self.tokenizer, prepared.symbols, prepared.source_ids, prepared.source)
            return {HEAD: entity, TAIL: entity}
        return {slot: OneOf(given.token_ids) for slot, given in self._given.items()}

    def given(self, slot: str, words: str) -> Mention | None:
        """Returns the mention of the given entity with a generated name; None if there is none."""
        return self._given[slot].find(words) if slot in self._given else None

    def find(self, slot: str, words: str) -> Mention | None:
        """Returns the mention of a generated name; None if the document does not hold it."""
        found = self.given(slot, words)
        if found is not None:
            return found
        # Before small letters the tokenizer leaves the stop that ends a sentence at its word. Names with other stops,
        # such as "U.S.", end with one of their own.
        without_stop = words[:-1] if words.endswith(".") and "." not in words[:-1].strip() else ""
        span = (self._mentions.find(without_stop) if without_stop else None) or self._mentions.find(words)
        return found if span is None else Mention(span)

    def are_distinct(self, parse: Mapping[str, str]) -> bool:
        """Returns False if a parse relates an entity with itself or with a part of itself."""
        first, second = (compared(parse[slot]) for slot in (HEAD, TAIL))
        given = [self.given(slot, parse[slot]) for slot in (HEAD, TAIL)]
        if given[0] is not None and given[1] is not None:
            return first != second and (given[0].concept is None or given[0].concept != given[1].concept)
        return not (is_part(parse[HEAD], parse[TAIL]) or is_part(parse[TAIL], parse[HEAD]))


def _is_complete(constraint: StatementConstraint | None, generation: Generation) -> bool:
    """Returns True if the model ended the text, and not because there was no room for what it wanted to state."""
    if generation.finish_reason != "eos":
        return False
    scores = generation.sequences[0].log_probabilities
    narrowed = [] if constraint is None else constraint.narrowed(generation.token_ids)
    # A token with more than half of the probability was the model's own choice, whatever was excluded beside it.
    return all(scores[place] > _HALF for place in narrowed if place < len(scores))


def _key(relation: Relation) -> tuple[str | None, ...]:
    """Returns what two statements of one relation have in common."""
    concepts = (relation.head_concept, relation.tail_concept)
    return relation.head.lower(), relation.relation, relation.tail.lower(), *concepts


def _joined(stated: Sequence[Relation]) -> Relation:
    """Returns one relation for those of several windows, which may hold the same sentence."""
    first, spans = stated[0], dict.fromkeys((relation.head_span, relation.tail_span) for relation in stated)
    return replace(first, score=max(relation.score for relation in stated), other_spans=tuple(spans)[1:])
