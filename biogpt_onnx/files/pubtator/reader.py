"""Reading PubTator: a document is a title, an abstract and annotations, of which the entities are read."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from biogpt_onnx.files import rows
from biogpt_onnx.files.concepts import known_concept
from biogpt_onnx.files.pubtator.composite import parts_of
from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.files.text.lines import Line, lines_of
from biogpt_onnx.tasks.document import Document, NamedEntity

_PART = re.compile(r"([^|\t]*)\|([ta])\|(.*)", re.DOTALL)
_OFFSET = re.compile(r"[0-9]{1,9}")
# What some programs write for the place of a mention in parts, or of none.
_LIKE_OFFSET = re.compile(r"[-+]?[0-9][-+0-9.,;:|/ ]*")
_FIRST_LINE = re.compile(r"\ufeff?\s*[^|\s]{1,200}\|[ta]\|")


def looks_like_pubtator(beginning: bytes) -> bool:
    """Returns True if a file that begins like this is PubTator: its first line is a title or an abstract with an id."""
    return _FIRST_LINE.match(beginning.decode(errors="replace")) is not None


def read_pubtator(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a PubTator file.

    A document with only a title, or only an abstract, has it as its text.

    Raises:
        DocumentError: The file is no text.
    """
    block: _Block | None = None
    for line in lines_of(stream, name):
        if line.problem is None and not line.content.strip():
            if block is not None:
                block.is_followed_by_blank = True
            continue
        part = _PART.fullmatch(line.content)
        if block is not None and block.ends_before(line, part):
            yield block.row()
            block = None
        block = block or _Block(line.number)
        block.take(line, part)
    if block is not None:
        yield block.row()


@dataclass(frozen=True)
class _Annotation:
    """An entity as its line gives it; the offsets count title, one character and abstract."""

    start: int
    end: int
    text: str
    kind: str
    concept: str
    individual_names: tuple[str, ...] = ()


@dataclass
class _Block:
    """The lines of one document."""

    line: int
    id: str | None = None
    title: str | None = None
    abstract: str | None = None
    problem: str | None = None
    annotations: list[_Annotation] = field(default_factory=list)
    is_followed_by_blank: bool = False
    size: int = 0

    def ends_before(self, line: Line, part: re.Match[str] | None) -> bool:
        """Returns True if this line is one of the next document."""
        is_of_other = self.id != _id_of(line.content)
        if part is None:
            return self.is_followed_by_blank and is_of_other
        there = self.title if part[2] == "t" else self.abstract
        if there is not None or (self.id is not None and is_of_other):
            return True
        # A title may follow its abstract, but not behind a blank line.
        return self.is_followed_by_blank and (is_of_other or part[2] == "t")

    def take(self, line: Line, part: re.Match[str] | None) -> None:
        self.size += len(line.text)
        if self.size > rows.MAX_ROW_BYTES:
            self._report(f"the document has more than {rows.MAX_ROW_BYTES:,} characters of lines: divide it")
            self.annotations.clear()
        if line.problem is not None:
            self._report(f"line {line.number}: {line.problem}")
        elif self.is_followed_by_blank:
            self._report(f"line {line.number} is of the document before the blank line: remove the blank line")
        if part is not None:
            self.id = part[1].strip()
            if part[2] == "t":
                self.title = part[3]
            else:
                self.abstract = part[3]
        elif "\t" in line.content:
            self._annotate(line.number, line.content.split("\t"))
        elif line.problem is None:
            self._report(f"line {line.number} is neither a title nor an abstract nor an annotation: mend it")

    def row(self) -> Row:
        if self.problem is not None:
            return Row(self.line, None, self.problem)
        # PubMed has many titles without an abstract.
        *title, text = [part for part in (self.title, self.abstract) if part and part.strip()] or [""]
        document = Document(text, self.id or None, "".join(title))
        # The offsets count a title that is empty, and the character behind it.
        skipped = len(self.title) + 1 if self.title is not None and not title and text == self.abstract else 0
        entities = [each for one in self.annotations for each in _entities(one, document.full_text, skipped)]
        try:
            return checked_row(self.line, Document(text, document.id, document.title, entities=tuple(entities) or None))
        except RowError as error:
            return Row(self.line, None, str(error))

    def _annotate(self, number: int, fields: list[str]) -> None:
        name = fields[0].strip()
        self.id = name if self.id is None else self.id
        if name != self.id:
            self._report(
                f"line {number} does not begin with the id of its document: put each abstract on one line, and each "
                "annotation below its own document"
            )
            return
        start, end, text, kind, concept, individual_names = (*(each.strip() for each in fields[1:7]), *[""] * 6)[:6]
        if not _LIKE_OFFSET.fullmatch(start):
            return  # a relation
        if not (_OFFSET.fullmatch(start) and _OFFSET.fullmatch(end) and int(start) < int(end)):
            self._report(
                f"line {number} has an offset that is no whole number, or an end that is not behind its start: give "
                "the place of the first character and that behind the last"
            )
            return
        if self.problem is not None:
            return
        names = tuple(each.strip() for each in individual_names.split("|") if each.strip())
        self.annotations.append(_Annotation(int(start), int(end), text, kind, concept, names))

    def _report(self, problem: str) -> None:
        self.problem = self.problem or problem


def _id_of(line: str) -> str:
    """Returns the text before the first bar or tab of a line."""
    return re.split(r"[|\t]", line, maxsplit=1)[0].strip()


def _entities(annotation: _Annotation, full_text: str, skipped: int) -> Iterator[NamedEntity]:
    """Yields the entity of an annotation and, if that is a composite mention, the individual ones in it."""
    shift = skipped if annotation.start >= skipped else 0
    start, end = annotation.start - shift, annotation.end - shift
    yield NamedEntity(annotation.text, annotation.kind, ((start, end),), known_concept(annotation.concept))
    concepts = annotation.concept.split("|")
    has_each = len(concepts) == len(annotation.individual_names)
    for place, name in enumerate(annotation.individual_names):
        parts = parts_of(name, full_text[start:end])
        if parts and name != annotation.text:
            spans = tuple((start + first, start + last) for first, last in parts)
            yield NamedEntity(name, annotation.kind, spans, known_concept(concepts[place]) if has_each else "")
