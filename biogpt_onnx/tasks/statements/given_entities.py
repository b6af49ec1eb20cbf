"""Given entities: the names that a document's annotations allow, and the mentions that they stand for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.document import Document, NamedEntity, Span
from biogpt_onnx.tasks.entity_types import TypeNames, is_of_type
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.mentions import MentionFinder, compared
from biogpt_onnx.tasks.statements.spelling import has_same_letters, is_alike


@dataclass(frozen=True)
class Mention:
    """A mention of an entity in a document.

    Attributes:
        span: The mention's characters in `Document.full_text`, from the first part to the last.
        concept: The id of the entity's concept; None if unknown.
    """

    span: Span
    concept: str | None = None


class GivenEntities:
    """The given entities of one type, as the model generates them.

    Entities that the read part of the document does not hold are left out, and those with characters that the
    vocabulary lacks even in ASCII.

    Args:
        tokenizer: The model's tokenizer.
        prepared: A document with named entities, and its prompt.
        mentions: The finder of words in the source text.
        wanted: The type; see `is_of_type`.
        type_names: More names of types.

    Attributes:
        token_ids: The token ids of each name, without duplicates, in the order of the document's entities.

    Raises:
        PromptError: The document holds an entity neither where it says nor elsewhere.
    """

    def __init__(
        self,
        tokenizer: BioGptTokenizer,
        prepared: Prepared,
        mentions: MentionFinder,
        wanted: str,
        type_names: TypeNames = (),
    ) -> None:
        self._tokenizer, self._prepared, self._mentions = tokenizer, prepared, mentions
        self._found: dict[str, Mention] = {}
        names: dict[tuple[int, ...], None] = {}
        for entity in prepared.document.entities or ():
            named = self._named(entity) if is_of_type(entity.type, wanted, type_names) else None
            ids = () if named is None else self._ids(named[0])
            if named is not None and ids:
                names[ids] = None
                self._add(tokenizer.decode(ids), named[1])
        self.token_ids = tuple(names)

    def find(self, words: str) -> Mention | None:
        """Returns the first mention of the entity with a generated name; None if there is none."""
        return self._found.get(compared(words))

    def _add(self, name: str, mention: Mention) -> None:
        key = compared(name)
        known = self._found.setdefault(key, mention)
        first = min(known, mention, key=lambda one: one.span)
        self._found[key] = replace(first, concept=first.concept or known.concept or mention.concept)

    def _named(self, entity: NamedEntity) -> tuple[str, Mention] | None:
        """Returns the entity's name in the source's form, and its mention; None if the source does not hold it."""
        document, concept = self._prepared.document, entity.concept or None
        spans = self._places.spans(entity)
        name = None if not spans else self._mentions.text_at(spans)
        if name is not None:
            # Parts may be of one word: "hypertension" in "hyper- and hypotension".
            is_joined = len(spans) > 1 and has_same_letters(entity.text, name)
            return self._cased(entity.text) if is_joined else name, Mention((spans[0][0], spans[-1][1]), concept)
        wanted = " ".join(document.full_text[slice(*span)] for span in spans) or entity.text
        span = self._mentions.closest(wanted, document.full_text)
        held = None if span is None else self._mentions.text_at([span])
        return None if span is None or held is None else (held, Mention(span, concept))

    @cached_property
    def _places(self) -> "_Places":
        return _Places(self._prepared.document)

    def _cased(self, name: str) -> str:
        text = self._prepared.source.text
        return name.lower() if text == text.lower() else name

    def _ids(self, name: str) -> tuple[int, ...]:
        """Returns the token ids of a name as the source has them, if it does; empty for an unknown character."""
        forms = [
            tuple(self._tokenizer.encode(name, normalize_punctuation=normalize_punctuation)[1:])
            for normalize_punctuation in (False, True)
        ]
        known = [ids for ids in forms if ids and self._tokenizer.unk_id not in ids]
        return next((ids for ids in known if _holds(self._prepared.source_ids, ids)), known[0] if known else ())


class _Places:
    """The places in a document that its named entities give."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def spans(self, entity: NamedEntity) -> Sequence[Span]:
        """Returns the spans of an entity, checked; empty if it gives none.

        Raises:
            PromptError: The entity's name is not at its place, nor elsewhere.
        """
        spans, full_text = sorted(entity.spans), self._document.full_text
        if not spans:
            return ()
        is_inside = all(0 <= start < end <= len(full_text) for start, end in spans)
        there = " ".join(full_text[slice(*span)] for span in spans) if is_inside else ""
        if is_inside and (not entity.text.strip() or has_same_letters(entity.text, there)):
            return spans
        # Where a place cuts words, it is more likely wrong than the name is spelled otherwise.
        is_of_words = is_inside and all(map(self._is_of_whole_words, spans))
        if is_of_words and is_alike(entity.text, there):
            return spans
        found = self._finder.closest(entity.text, full_text, near=spans[0][0])
        if found is not None:
            return [found]
        if is_of_words:
            return spans
        # Errors do not quote documents.
        number = (self._document.entities or ()).index(entity) + 1
        raise PromptError(
            f"the document's entity {number}, at {_range(spans)}, has a name that stands neither there nor elsewhere: "
            "mend its place or its name"
        )

    @cached_property
    def _finder(self) -> MentionFinder:
        return MentionFinder(Source.of([(self._document.full_text, 0)]))

    def _is_of_whole_words(self, span: Span) -> bool:
        text = self._document.full_text
        held = text[slice(*span)]
        cuts = (text[max(0, place - 1) : place + 1] for place in span)
        return held == held.strip() and not any(len(cut) > 1 and cut.isalnum() for cut in cuts)


def _range(spans: Sequence[Span]) -> str:
    return ", ".join(f"{start} to {end}" for start, end in spans)


def _holds(ids: Sequence[int], wanted: tuple[int, ...]) -> bool:
    return any(tuple(ids[start : start + len(wanted)]) == wanted for start in _starts(ids, wanted[0]))


def _starts(ids: Sequence[int], first: int) -> Iterator[int]:
    return (place for place, token in enumerate(ids) if token == first)
