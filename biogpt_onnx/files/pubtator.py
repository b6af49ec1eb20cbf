"""PubTator, the format in which the corpora of biomedical relations are annotated: reading and writing.

A document is a title, an abstract and annotations. Of the annotations, entities are read.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from biogpt_onnx.files.annotations import Mention, RelationSchema, annotated_relations
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.records import Record
from biogpt_onnx.files.rows import Row, RowError, checked_row
from biogpt_onnx.files.text.lines import Line, lines_of
from biogpt_onnx.tasks.document import Document, NamedEntity

_PART = re.compile(r"([^|\t]*)\|([ta])\|(.*)", re.DOTALL)
# Id, first and last character, name, type, and mostly the concept's id. A relation has fewer fields.
_ENTITY = re.compile(r"[^\t]*\t\d+\t\d+\t([^\t]*)\t([^\t]*)(?:\t.*)?", re.DOTALL)

# All characters that some reader takes for the end of a line or of a field, and NUL, which marks binary files.
_BREAKS = "\0\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_TO_SPACES = str.maketrans(_BREAKS, " " * len(_BREAKS))
_TO_UNDERSCORES = str.maketrans(_BREAKS + "|", "_" * (len(_BREAKS) + 1))

# Bars that some reader takes for the beginning of a title or an abstract.
_BARS = re.compile(r"\|(?=[ta]\|)|(?<=^[ta])\|")


def read_pubtator(stream: io.BufferedReader, name: str) -> Iterator[Row]:
    """Reads the documents of a PubTator file.

    A document with only a title, or only an abstract, has it as its text.

    Raises:
        DocumentError: The file is no text.
    """
    block: _Block | None = None
    for line in lines_of(stream, name):
        if block is not None and line.problem is None and not line.content.strip():
            yield block.row()
            block = None
        if line.problem is None and not line.content.strip():
            continue
        part = None if line.problem is not None else _PART.fullmatch(line.content)
        if block is not None and part is not None and block.is_other_than(part):
            yield block.row()
            block = None
        block = block or _Block(line.number)
        block.take(line, part)
    if block is not None:
        yield block.row()


@dataclass
class _Block:
    """The lines of one document."""

    line: int
    id: str | None = None
    title: str | None = None
    abstract: str | None = None
    problem: str | None = None
    entities: list[NamedEntity] = field(default_factory=list)

    def is_other_than(self, part: re.Match[str]) -> bool:
        """Returns True if this title or abstract is that of the next document."""
        there = self.title if part[2] == "t" else self.abstract
        return there is not None or self.id not in {None, part[1].strip()}

    def take(self, line: Line, part: re.Match[str] | None) -> None:
        if line.problem is not None:
            self.problem = self.problem or f"line {line.number}: {line.problem}"
        elif part is None:
            if "\t" not in line.content:
                self.problem = self.problem or (
                    f"line {line.number} is neither a title nor an abstract nor an annotation: mend it"
                )
            elif (entity := _ENTITY.fullmatch(line.content)) is not None:
                self.entities.append(NamedEntity(entity[1].strip(), entity[2].strip()))
        elif part[2] == "t":
            self.id, self.title = part[1].strip(), part[3]
        else:
            self.id, self.abstract = part[1].strip(), part[3]

    def row(self) -> Row:
        if self.problem is not None:
            return Row(self.line, None, self.problem)
        # PubMed has many titles without an abstract.
        *title, text = [part for part in (self.title, self.abstract) if part and part.strip()] or [""]
        try:
            document = Document(text, self.id or None, "".join(title), entities=tuple(self.entities) or None)
            return checked_row(self.line, document)
        except RowError as error:
            return Row(self.line, None, str(error))


@dataclass(frozen=True)
class PubTator:
    """Relations as PubTator; see `OutputFormat`.

    A document without a title is written as a title with an empty abstract, so that its spans count from its own
    beginning. A document without an id gets its line number. Records of errors are left out.

    Attributes:
        schema: The names of the relations and the entity types.
        lexicon: The concepts of the entities; an entity that it lacks is its own concept, in lower case.
    """

    schema: RelationSchema
    lexicon: Lexicon = field(default_factory=Lexicon)

    needs_documents = True

    def header(self) -> str:
        """Returns nothing: PubTator has no header."""
        return ""

    def format_record(self, record: Record) -> str:
        """Returns the document, its mentions in the order of the text, and its relations in the model's order."""
        if "error" in record:
            return ""
        name = _name(record)
        title, text = (one_line(record["document"][part]) for part in ("title", "text"))
        first, second = (title, text) if title else (text, "")
        full_text = Document(text, title=title).full_text
        relations = annotated_relations(record, full_text, self.schema, self.lexicon)
        mentions = {mention: mention.span for each in relations for mention in (each.head, each.tail) if mention.span}
        lines = [f"{name}|t|{first}", f"{name}|a|{second}"]
        lines += [_annotation(name, mention) for mention in sorted(mentions, key=_place)]
        lines += dict.fromkeys(
            "\t".join((name, *map(one_line, (each.name, each.head.concept, each.tail.concept)))) for each in relations
        )
        return "\n".join(lines) + "\n\n"

    def footer(self) -> str:
        """Returns nothing: PubTator has no footer."""
        return ""


def one_line(text: str) -> str:
    """Returns a text of the same length that every reader of PubTator takes for one line and one field."""
    return _BARS.sub(" ", text.translate(_TO_SPACES))


def _name(record: Record) -> str:
    name = (record["id"] or "").translate(_TO_UNDERSCORES).strip()
    return name or str(record["line"])


def _annotation(name: str, mention: Mention) -> str:
    start, end = mention.span or (0, 0)
    return "\t".join((name, str(start), str(end), mention.text, mention.kind, one_line(mention.concept)))


def _place(mention: Mention) -> tuple[int, int, str]:
    return (*(mention.span or (0, 0)), mention.kind)
