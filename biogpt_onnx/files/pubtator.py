"""Reading PubTator: a title, an abstract, and annotations, of which entities are kept."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from biogpt_onnx.files.item import Item, RowError, good_item
from biogpt_onnx.files.lines import Line, lines_of
from biogpt_onnx.tasks.document import Document, NamedEntity

_PART = re.compile(r"([^|\t]*)\|([ta])\|(.*)", re.DOTALL)
# Id, first and last character, name, type, and mostly the id of what is named. A relation has fewer fields.
_ENTITY = re.compile(r"[^\t]*\t\d+\t\d+\t([^\t]*)\t([^\t]*)(?:\t.*)?", re.DOTALL)


@dataclass
class _Block:
    line: int
    id: str | None = None
    title: str | None = None
    abstract: str | None = None
    problem: str | None = None
    entities: list[NamedEntity] = field(default_factory=list)

    def is_other_than(self, part: re.Match[str]) -> bool:
        """Whether this title or abstract is that of the next document."""
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

    def item(self) -> Item:
        if self.problem is not None:
            return Item(self.line, None, self.problem)
        # A title without an abstract is read too, as PubMed has many of them.
        *title, text = [part for part in (self.title, self.abstract) if part and part.strip()] or [""]
        try:
            document = Document(text, self.id or None, "".join(title), entities=tuple(self.entities) or None)
            return good_item(self.line, document)
        except RowError as error:
            return Item(self.line, None, str(error))


def read_pubtator(stream: io.BufferedReader, name: str) -> Iterator[Item]:
    """The documents of a PubTator file.

    A document that has only a title, or only an abstract, has it as its text.

    Raises:
        DocumentError: it is no text.
    """
    block: _Block | None = None
    for line in lines_of(stream, name):
        if block is not None and line.problem is None and not line.content.strip():
            yield block.item()
            block = None
        if line.problem is None and not line.content.strip():
            continue
        part = None if line.problem is not None else _PART.fullmatch(line.content)
        if block is not None and part is not None and block.is_other_than(part):
            yield block.item()
            block = None
        block = block or _Block(line.number)
        block.take(line, part)
    if block is not None:
        yield block.item()
