"""Results drawn for people, as a format of output: `biogpt_onnx.tasks.drawing` draws them."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from biogpt_onnx.files.records import Record
from biogpt_onnx.tasks.drawing.scene import scene_of
from biogpt_onnx.tasks.drawing.terminal import BAR_WIDTH, INDENT, TerminalDrawing

_WIDEST = 100


@dataclass(frozen=True)
class Drawing:
    """Results drawn for people; see `OutputFormat`.

    Attributes:
        width: The most characters of a line.
        color: Colors entities and bars, for terminals.
    """

    width: int = _WIDEST
    color: bool = False

    needs_documents = True

    @classmethod
    def for_standard_output(cls) -> "Drawing":
        """Returns the drawing for what standard output is; colored on a terminal, unless `NO_COLOR` is set."""
        is_terminal = sys.stdout.isatty()
        width = min(shutil.get_terminal_size().columns, _WIDEST) if is_terminal else _WIDEST
        return cls(max(width, 2 * BAR_WIDTH), color=is_terminal and not os.environ.get("NO_COLOR"))

    def header(self) -> str:
        """Returns nothing: a drawing has no header."""
        return ""

    def format_record(self, record: Record) -> str:
        """Returns the lines of one result, with an empty line at the end."""
        return "".join(f"{line}\n" for line in [*self._lines(record), ""])

    def footer(self) -> str:
        """Returns nothing: a drawing has no footer."""
        return ""

    def _lines(self, record: Record) -> Iterator[str]:
        if "error" in record:
            yield f"{INDENT}line {record['line']}: {record['error']}"
            return
        yield from TerminalDrawing(self.width, self.color).lines(scene_of(record, record["document"]))
