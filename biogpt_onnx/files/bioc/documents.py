"""Documents of the library bioc as rows, with the place of each passage."""

from collections.abc import Iterator
from typing import Any

from biogpt_onnx.files.rows import MAX_CHARACTERS, Passage, Row, RowError, checked_row
from biogpt_onnx.tasks.document import Document, NamedEntity

_TITLE, _ABSTRACT = "title", "abstract"


def row_of(number: int, document: Any) -> Row:  # noqa: ANN401 -- the library has no types
    """Returns the row of a `BioCDocument`.

    A passage of type "title" followed by passages of type "abstract" alone are title and text. In any other document
    all passages are the text, with a space between each two.

    Args:
        number: The document's number in its file, from 1.
        document: The document; the entities of its annotations are kept, its relations are not.

    Raises:
        RowError: The document is malformed, empty or too long.
    """
    parts = list(_parts(document))
    kinds = [kind.lower() for kind, _, _ in parts]
    has_title = len(parts) > 1 and kinds == [_TITLE] + [_ABSTRACT] * (len(parts) - 1)
    texts = [text for _, _, text in parts]
    title = texts.pop(0) if has_title else ""
    passages, start = [], 0
    for kind, offset, text in parts:
        passages.append(Passage(kind, offset, start, start + len(text)))
        start += len(text) + 1
    ours = Document(" ".join(texts), _id(document.id), title, entities=tuple(_entities(document)) or None)
    return checked_row(number, ours, tuple(passages))


def _parts(document: Any) -> Iterator[tuple[str, int, str]]:  # noqa: ANN401 -- the library has no types
    """Yields type, offset and text of each passage that has a text."""
    for passage in document.passages:
        offset = _whole_number(passage.offset)
        text = passage.text or _of_sentences(passage.sentences, offset)
        if not isinstance(text, str):
            raise RowError("the text of a passage is no string: mend it")
        if text.strip():
            yield str(passage.infons.get("type") or ""), offset, text


def _entities(document: Any) -> Iterator[NamedEntity]:  # noqa: ANN401 -- the library has no types
    for passage in document.passages:
        for part in (passage, *passage.sentences):
            for annotation in part.annotations:
                if isinstance(annotation.text, str) and annotation.text.strip():
                    yield NamedEntity(annotation.text, str(annotation.infons.get("type") or ""))


def _of_sentences(sentences: Any, offset: int) -> str:  # noqa: ANN401 -- the library has no types
    """Returns a text that has each sentence at its offset, with spaces between them."""
    text = ""
    for sentence in sentences:
        gap = _whole_number(sentence.offset) - offset - len(text)
        if gap < 0 or len(text) + gap > MAX_CHARACTERS:
            raise RowError(f"the sentence at offset {sentence.offset} does not follow the one before it: mend it")
        text += " " * gap + (sentence.text or "")
    return text


def _whole_number(value: object) -> int:
    if not isinstance(value, int):
        raise RowError(f"a passage or sentence has the offset {value!r}: give a whole number")
    return value


def _id(value: object) -> str | None:
    return None if value is None else str(value) or None
