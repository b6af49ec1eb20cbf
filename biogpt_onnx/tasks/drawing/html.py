"""Scenes as HTML for notebooks. All text is escaped, styles stand inline, and nothing is loaded."""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Literal

from biogpt_onnx.tasks.drawing.scene import Arrow, Bars, Element, Entity, MarkedText, Role, visible

# The lines tell heads from tails without the colors, as those of a terminal do.
_MARKS: dict[Role, str] = {
    "head": "background:#bfe9f5;border-bottom:2px solid #0a6c8a",
    "tail": "background:#f3c9ea;border-bottom:4px double #9c2a86",
    "both": "background:#cfd3fa;border-bottom:3px dashed #3b46b8",
}
# Of a contrast of 3 at least, on white as on black.
_BEST, _OTHER = "#1f86a8", "#78858c"
_BLOCK = "margin:0.3em 0;white-space:pre-wrap"


def html_of(scene: Iterable[Element]) -> str:
    """Returns a scene as an element of HTML that stands by itself."""
    style = "max-width:60em;line-height:1.6;overflow-wrap:anywhere"
    return f'<div style="{style}">{"".join(map(_html, scene))}</div>'


def _html(element: Element) -> str:
    if isinstance(element, MarkedText):
        return _block("".join(_runs(element)))
    if isinstance(element, Arrow):
        elsewhere = "" if element.in_source else " (not in the text)"
        arrow = f" ──<bdi>{escape(element.relation)}</bdi>──&gt; "
        words = f"{_isolated(element.head, 'head')}{arrow}{_isolated(element.tail, 'tail')}"
        return _block(f"{words}{_probability(element.probability)}{elsewhere}", direction="ltr")
    if isinstance(element, Entity):
        words = f"{_isolated(element.text, 'head')} (<bdi>{escape(element.type)}</bdi>)"
        return _block(f"{words}{_probability(element.probability)}", direction="ltr")
    if isinstance(element, Bars):
        style = "border-collapse:collapse;table-layout:auto;width:100%;max-width:50em;margin:0.3em 0"
        return f'<table style="{style}">{"".join(_rows(element))}</table>'
    return _block(escape(visible(element.text)))


def _block(content: str, direction: Literal["auto", "ltr"] = "auto") -> str:
    return f'<p dir="{direction}" style="{_BLOCK}">{content}</p>'


def _runs(marked: MarkedText) -> Iterator[str]:
    pairs = zip(marked.text, marked.roles, strict=True)
    for role, run in groupby(pairs, key=lambda pair: pair[1]):
        yield _mark("".join(character for character, _ in run), role)


def _mark(text: str, role: Role | None) -> str:
    if role is None:
        return escape(text)
    # The color of the text is named too, because a dark theme would write white on these backgrounds.
    style = f"{_MARKS[role]};color:#000;border-radius:0.2em 0.2em 0 0;padding:0 0.1em"
    return f'<mark style="{style};-webkit-box-decoration-break:clone;box-decoration-break:clone">{escape(text)}</mark>'


def _isolated(text: str, role: Role) -> str:
    """Returns a marked name that does not turn the order of its line, whichever way its script is written."""
    return f"<bdi>{_mark(text, role)}</bdi>"


def _probability(probability: float | None) -> str:
    return "" if probability is None else f"   p {probability:.2f}"


def _rows(bars: Bars) -> Iterator[str]:
    best = max(bars.probabilities.values())
    for label, probability in bars.probabilities.items():
        color, weight = (_BEST, "bold") if probability == best else (_OTHER, "normal")
        # Each cell says what style sheets of notebooks set otherwise.
        cell = f"font-weight:{weight};padding:0.1em 0.75em 0.1em 0;vertical-align:middle;text-align:"
        bar = f"display:inline-block;height:0.8em;width:{100 * probability:.1f}%;background:{color}"
        yield (
            f'<tr><th scope="row" dir="auto" style="{cell}left">{escape(visible(label))}</th>'
            f'<td style="{cell}left;width:35%"><span style="{bar}"></span></td>'
            f'<td style="{cell}right;width:3em">{probability:.2f}</td></tr>'
        )
