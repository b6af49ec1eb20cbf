"""Scenes as lines of text: entities underlined or colored, relations as arrows, probabilities as bars."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from biogpt_onnx.tasks.drawing.scene import Arrow, Bars, Element, Entity, MarkedText, Role, visible

INDENT = "  "
BAR_WIDTH = 40
"""The characters of a bar of probability 1."""

_WORD = re.compile(r"\S+\s*")
_UNDERLINES = {"head": "─", "tail": "═", "both": "≡", None: " "}
_COLORS = {"head": "\x1b[1;36m", "tail": "\x1b[1;35m", "both": "\x1b[1;34m"}
_RESET = "\x1b[0m"


@dataclass(frozen=True)
class TerminalDrawing:
    """The drawing of scenes as lines of text.

    Attributes:
        width: The most characters of a line.
        color: Colors entities and bars, instead of underlining entities by a line below.
    """

    width: int
    color: bool

    def lines(self, scene: Iterable[Element]) -> Iterator[str]:
        """Yields the lines of a scene."""
        for element in scene:
            yield from self._lines(element)

    def _lines(self, element: Element) -> Iterator[str]:
        if isinstance(element, MarkedText):
            yield from self._text(element)
        elif isinstance(element, Arrow):
            head, tail = self._in_color(element.head, "head"), self._in_color(element.tail, "tail")
            elsewhere = "" if element.in_source else "   (not in the text)"
            yield f"{INDENT}{head} ──{element.relation}──> {tail}{_probability(element.probability)}{elsewhere}"
        elif isinstance(element, Entity):
            name = self._in_color(element.text, "head")
            yield f"{INDENT}{name} ({element.type}){_probability(element.probability)}"
        elif isinstance(element, Bars):
            yield from self._bars(element)
        else:
            yield INDENT + visible(element.text)

    def _text(self, marked: MarkedText) -> Iterator[str]:
        for start, end in _wrapped(marked.text, self.width - len(INDENT)):
            text, roles = marked.text[start:end], marked.roles[start:end]
            if self.color:
                runs = groupby(zip(text, roles, strict=True), key=lambda pair: pair[1])
                parts = (self._in_color("".join(character for character, _ in run), role) for role, run in runs)
                yield INDENT + "".join(parts)
                continue
            yield INDENT + text
            if any(roles):
                yield INDENT + "".join(_UNDERLINES[role] for role in roles).rstrip()

    def _in_color(self, text: str, role: Role | None) -> str:
        return f"{_COLORS[role]}{text}{_RESET}" if self.color and role else text

    def _bars(self, bars: Bars) -> Iterator[str]:
        longest, best = max(map(len, bars.probabilities)), max(bars.probabilities.values())
        for label, probability in bars.probabilities.items():
            bar = "█" * round(BAR_WIDTH * probability) or "▏"
            filled = self._in_color(bar, "head" if probability == best else None)
            yield f"{INDENT}{visible(label):{longest}}  {filled}{' ' * (BAR_WIDTH - len(bar))}  {probability:.2f}"


def _probability(probability: float | None) -> str:
    return "" if probability is None else f"   p {probability:.2f}"


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
