"""Numbers in the prose of the pages: each is that of a committed run or of the code, as `figures.toml` says."""

import importlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report.runs import Run, read_run

FIGURES_FILE = Path(__file__).with_name("figures.toml")

_BLANK = "{}"
_NUMBER = r"[+-]?\d(?:[\d,.]*\d)?"

# Of a page, what is no prose: blocks of code, generated tables, inline code.
_NO_PROSE = re.compile(
    r"^```.*?^```$|<!-- (?P<name>[\w -]+): begin -->.*?<!-- (?P=name): end -->|`[^`\n]+`", re.MULTILINE | re.DOTALL
)
_COUNT = r"(?:\d(?:[\d,.]*\d)? ?|(?:two|three|four|five|six|seven|eight|nine|ten) )"
_UNIT = (
    r"(?:%|ms\b|milliseconds?\b|s\b|seconds?\b|minutes?\b|hours?\b|[KMG]i?B\b|bytes?\b|times\b|x\b|tokens/s\b|nats?\b)"
)
_SHARE = r"\ban? (?:quarter|fifth|sixth|third|tenth|eighth)\b"
_WITH_A_UNIT = re.compile(rf"(?<![\w.-]){_COUNT}{_UNIT}|{_SHARE}")


class FigureError(Exception):
    """A page does not hold the sentence of a figure once; says so in one line."""


@dataclass(frozen=True)
class Figure:
    """A number in a sentence, and what it is taken from: a value of a committed run, or a constant of the code.

    Attributes:
        page: the page's path in the checkout.
        text: the words around the number, which stands where `{}` does; the page holds them once.
        format: how the number is written, as for `format`.
        run: the file's name of the committed run.
        value: the path of the value in the run, its keys and numbers of list entries divided by "/".
        per: the path of a value that it is divided by; empty for none.
        constant: instead of a run, "module:NAME" of a number in the code; keys and attributes follow after "/".
        scale: factor that turns the value into the unit that the page names.
    """

    page: str
    text: str
    format: str
    run: str = ""
    value: str = ""
    per: str = ""
    constant: str = ""
    scale: float = 1

    def number(self, read: Callable[[str], Run] = read_run) -> str:
        """Returns the number as the page is to write it."""
        if self.constant:
            module, _, path = self.constant.partition(":")
            found = _value(importlib.import_module(module), path)
        else:
            run = read(self.run)
            found = _value(run, self.value) / (_value(run, self.per) if self.per else 1)
        return format(found * self.scale, self.format)

    def in_page(self, text: str, read: Callable[[str], Run] = read_run) -> str:
        """Returns a page's text with this number as its source has it.

        Raises:
            FigureError: the page holds the words not at all, or more than once.
        """
        before, _, after = self.text.partition(_BLANK)
        found = re.findall(f"{re.escape(before)}{_NUMBER}{re.escape(after)}", text)
        if len(found) != 1:
            raise FigureError(f"{self.page} holds {self.text!r} {len(found)} times: name words that it holds once")
        return text.replace(found[0], self.text.replace(_BLANK, self.number(read)))


@dataclass(frozen=True)
class Stated:
    """Words with numbers that have no source in the checkout, and why the page may state them.

    Attributes:
        page: the page's path in the checkout.
        text: the words, numbers included.
        reason: where the numbers come from.
    """

    page: str
    text: str
    reason: str


def read_figures() -> list[Figure]:
    """Reads the numbers that have a source."""
    return [Figure(**entry) for entry in _entries("figure")]


def read_stated() -> list[Stated]:
    """Reads the numbers that are stated, each with its reason."""
    return [Stated(**entry) for entry in _entries("stated")]


def figures_of(page: str) -> tuple[Figure, ...]:
    """Returns the figures of one page, given its path in the checkout."""
    return tuple(figure for figure in read_figures() if figure.page == page)


def numbers_without_a_source(page: str, text: str) -> Iterator[str]:
    """Yields the numbers with a unit, and shares in words, that are neither a figure of the page nor stated."""
    prose = _NO_PROSE.sub(lambda found: "\0" * len(found.group()), text)
    named = [figure.text.replace(_BLANK, figure.number()) for figure in figures_of(page)]
    named += [stated.text for stated in read_stated() if stated.page == page]
    spans = [found.span() for words in named for found in re.finditer(re.escape(words), text)]
    for found in _WITH_A_UNIT.finditer(prose):
        if not any(start <= found.start() and found.end() <= end for start, end in spans):
            yield text[max(0, found.start() - 40) : found.end() + 20].replace("\n", " ")


def _entries(kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(FIGURES_FILE.read_text(encoding="utf-8"))[kind]
    return entries


def _value(source: object, path: str) -> float:
    found: Any = source
    for key in path.split("/"):
        if isinstance(found, list):
            found = found[int(key)]
        else:
            found = found[key] if isinstance(found, Mapping) else getattr(found, key)
    return float(found)
