"""Results drawn for people: texts with their entities underlined, relations as arrows, probabilities as bars."""

import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from biogpt_onnx.files.records import Record

_WIDEST = 100
_INDENT = "  "
_BAR_WIDTH = 40
_WORD = re.compile(r"\S+\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_HEAD, _TAIL, _BOTH = "head", "tail", "both"
_UNDERLINES = {_HEAD: "─", _TAIL: "═", _BOTH: "≡", None: " "}
_COLORS = {_HEAD: "\x1b[1;36m", _TAIL: "\x1b[1;35m", _BOTH: "\x1b[1;34m"}
_RESET = "\x1b[0m"


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
        return cls(max(width, 2 * _BAR_WIDTH), color=is_terminal and not os.environ.get("NO_COLOR"))

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
            yield f"{_INDENT}line {record['line']}: {record['error']}"
            return
        document = record["document"]
        # As Document.full_text joins them, whose characters the spans count.
        text = " ".join(filter(None, (document["title"], document["text"])))
        relations = record.get("relations", [])
        yield from self._text(text, _roles(text, relations))
        if "relations" in record:
            yield from map(self._relation, relations) if relations else (f"{_INDENT}no relation",)
        if document.get("question"):
            yield from self._text(document["question"], [None] * len(document["question"]))
        yield from self._bars(record.get("probabilities", {}))

    def _text(self, text: str, roles: Sequence[str | None]) -> Iterator[str]:
        """Yields the lines of a text; without color, those that hold entities are underlined by a line below."""
        # Control characters could steer the terminal; one character stands for each, as spans count them.
        shown = _CONTROL.sub(" ", text)
        for start, end in _wrapped(shown, self.width - len(_INDENT)):
            if self.color:
                yield _INDENT + self._colored(shown[start:end], roles[start:end])
                continue
            yield _INDENT + shown[start:end]
            if any(roles[start:end]):
                yield _INDENT + "".join(_UNDERLINES[role] for role in roles[start:end]).rstrip()

    def _colored(self, text: str, roles: Sequence[str | None]) -> str:
        runs = groupby(zip(text, roles, strict=True), key=lambda pair: pair[1])
        return "".join(self._in_color("".join(character for character, _ in run), role) for role, run in runs)

    def _in_color(self, text: str, role: str | None) -> str:
        return f"{_COLORS[role]}{text}{_RESET}" if self.color and role else text

    def _relation(self, relation: Mapping[str, object]) -> str:
        head, tail = (self._in_color(_CONTROL.sub(" ", str(relation[role])), role) for role in (_HEAD, _TAIL))
        score = relation["score"]
        probability = f"   p {math.exp(score):.2f}" if isinstance(score, float) else ""
        elsewhere = "" if relation["in_source"] else "   (not in the text)"
        return f"{_INDENT}{head} ──{relation['relation']}──> {tail}{probability}{elsewhere}"

    def _bars(self, probabilities: Mapping[str, float | None]) -> Iterator[str]:
        # A record has None for what is no number.
        known = {label: probability or 0.0 for label, probability in probabilities.items()}
        longest = max(map(len, known), default=0)
        best = max(known.values(), default=0.0)
        for label, probability in known.items():
            bar = "█" * round(_BAR_WIDTH * probability) or "▏"
            filled = self._in_color(bar, _HEAD if probability == best else None)
            yield f"{_INDENT}{label:{longest}}  {filled}{' ' * (_BAR_WIDTH - len(bar))}  {probability:.2f}"


def _roles(text: str, relations: Sequence[Mapping[str, object]]) -> list[str | None]:
    """Returns, for each character of a text, what it is part of."""
    found: list[str | None] = [None] * len(text)
    for relation in relations:
        for role in (_HEAD, _TAIL):
            span = relation[f"{role}_span"]
            if not isinstance(span, list):
                continue
            for place in range(*span):
                found[place] = role if found[place] in (None, role) else _BOTH
    return found


def _wrapped(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Yields start and end of lines of at most `width` characters; a longer word is cut."""
    start = end = 0
    for word in _WORD.finditer(text):
        if len(text[start : word.end()].rstrip()) > width and end > start:
            yield start, start + len(text[start:end].rstrip())
            start = end
        end = word.end()
        while len(text[start:end].rstrip()) > width:
            yield start, start + width
            start += width
    if text[start:end].strip():
        yield start, start + len(text[start:end].rstrip())
