"""Documents of BioC as rows, with the place of each passage.

A document is JSON data in the form of BioC JSON; the reader of XML makes the same. What is used must be there and of
its type. Everything else may be missing: programs that write BioC leave out various fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from biogpt_onnx.files.concepts import known_concept
from biogpt_onnx.files.rows import MAX_CHARACTERS, Passage, Row, RowError, checked_row
from biogpt_onnx.tasks.document import Document, NamedEntity, Span

_TITLE, _ABSTRACT = "title", "abstract"
_IDS = ("id", "pmid", "pmcid")

# The infons in which corpora keep the concept's id: that of PubTator and BioRED, that of BC5CDR, and others.
_CONCEPT_INFONS = ("identifier", "mesh", "ncbi gene", "cui")

_Object = Mapping[str, Any]


def row_of(number: int, document: object) -> Row:
    """Returns the row of a document.

    A passage of type "title" followed by passages of type "abstract" alone are title and text. In any other document
    all passages are the text, with a space between each two.

    Args:
        number: The document's number in its file, from 1.
        document: The document as JSON data; the entities of its annotations are kept, its relations are not.

    Raises:
        RowError: The document is malformed, empty or too long.
    """
    found = _object(document, "the document")
    parts = [(each, *_part(each)) for each in _objects(found, "passages")]
    parts = [part for part in parts if part[-1].strip()]
    kinds = [kind.lower() for _, kind, _, _ in parts]
    has_title = len(parts) > 1 and kinds == [_TITLE] + [_ABSTRACT] * (len(parts) - 1)
    texts = [text for *_, text in parts]
    title = texts.pop(0) if has_title else ""
    passages, places, start = [], {}, 0
    for each, kind, offset, text in parts:
        passages.append(Passage(kind, offset, start, start + len(text)))
        places[id(each)] = passages[-1]
        start += len(text) + 1
    entities = [
        entity
        for part in (found, *_objects(found, "passages"))
        for entity in _entities(part, [*passages, *([places[id(part)]] if id(part) in places else [])])
    ]
    ours = Document(" ".join(texts), _id(found), title, entities=tuple(entities) or None)
    return checked_row(number, ours, tuple(passages))


def _part(passage: _Object) -> tuple[str, int, str]:
    """Returns type, offset and text of a passage."""
    text = passage.get("text") or ""
    sentences = _objects(passage, "sentences")
    if not isinstance(text, str):
        raise RowError("the text of a passage is no string: mend it")
    if not text.strip() and not sentences:
        return "", 0, ""
    offset = _offset(passage)
    return _infons(passage).get("type", ""), offset, text or _of_sentences(sentences, offset)


def _of_sentences(sentences: list[_Object], offset: int) -> str:
    """Returns a text that has each sentence at its offset, with spaces between them."""
    text = ""
    for sentence in sentences:
        gap = _offset(sentence) - offset - len(text)
        if gap < 0 or len(text) + gap > MAX_CHARACTERS:
            raise RowError(f"the sentence at offset {_offset(sentence)} does not follow the one before it: mend it")
        own = sentence.get("text") or ""
        if not isinstance(own, str):
            raise RowError("the text of a sentence is no string: mend it")
        text += " " * gap + own
    return text


def _entities(part: _Object, passages: list[Passage]) -> Iterator[NamedEntity]:
    """Yields the entities of a document's or a passage's annotations, and of those of its sentences.

    Args:
        part: The document or the passage.
        passages: The passages of the document; the last one that holds an offset is taken.
    """
    for holder in (part, *_objects(part, "sentences")):
        for annotation in _objects(holder, "annotations"):
            infons = _infons(annotation)
            text = annotation.get("text") or ""
            if not isinstance(text, str):
                raise RowError("the text of an annotation is no string: mend it")
            spans = tuple(_span(location, passages) for location in _objects(annotation, "locations"))
            if text.strip() or spans:
                concept = next((infons[name] for name in _CONCEPT_INFONS if infons.get(name)), "")
                yield NamedEntity(text, infons.get("type", ""), spans, known_concept(concept))


def _span(location: _Object, passages: list[Passage]) -> Span:
    """Returns a place in the document's full text; one beyond the text for an offset that is in no passage."""
    offset, length = _offset(location), location.get("length")
    if not _is_whole_number(length) or length < 1 or offset < 0:
        raise RowError(f"an annotation has the offset {offset} and {_shown('length', location)}: give whole numbers")
    holding = [each for each in passages if each.offset <= offset <= each.offset + each.end - each.start]
    shift = holding[-1].start - holding[-1].offset if holding else max((each.end for each in passages), default=0)
    return offset + shift, offset + shift + length


def _id(document: _Object) -> str | None:
    for name in _IDS:
        value = document.get(name)
        if isinstance(value, str) and value:
            return value
        if _is_whole_number(value):
            return str(value)
    return None


def _infons(part: _Object) -> dict[str, str]:
    """Returns the infons that are texts or numbers, with their names in lower case."""
    infons = part.get("infons") or {}
    if not isinstance(infons, Mapping):
        raise RowError("the infons of a passage or an annotation are no object: mend it")
    plain = {str(name).lower(): value for name, value in infons.items()}
    return {name: str(value) for name, value in plain.items() if isinstance(value, str) or _is_whole_number(value)}


def _offset(part: _Object) -> int:
    value = part.get("offset")
    if not _is_whole_number(value):
        raise RowError(f"a passage, a sentence or a location has {_shown('offset', part)}: give a whole number")
    return value


def _shown(name: str, part: _Object) -> str:
    """Returns the end of an error "it has …" about a field that is no proper number; errors do not quote documents."""
    value = part.get(name)
    if value is None:
        return f"no {name}"
    return f"the {name} {value}" if _is_whole_number(value) else f"a value of type {type(value).__name__} as {name}"


def _objects(part: _Object, name: str) -> list[_Object]:
    values = part.get(name) or []
    if not isinstance(values, list):
        raise RowError(f"the document is no BioC: its {name} are no list")
    return [_object(value, f"one of its {name}") for value in values]


def _object(value: object, what: str) -> _Object:
    if not isinstance(value, Mapping):
        raise RowError(f"the document is no BioC: {what} is no object")
    return value


def _is_whole_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
