"""Scenes as HTML for notebooks. All text is escaped, styles stand inline, and nothing is loaded."""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from biogpt_onnx.tasks.drawing.scene import Arrow, Bars, Element, Entity, MarkedText, Role, visible

_BACKGROUNDS: dict[Role, str] = {"head": "#bfe9f5", "tail": "#f3c9ea", "both": "#cfd3fa"}
_BEST, _OTHER = "#3a9fbf", "#a9b4ba"
_BLOCK = "margin:0.3em 0;white-space:pre-wrap"


def html_of(scene: Iterable[Element]) -> str:
    """Returns a scene as an element of HTML that stands by itself."""
    return f'<div style="max-width:60em;line-height:1.6">{"".join(map(_html, scene))}</div>'


def _html(element: Element) -> str:
    if isinstance(element, MarkedText):
        return _block("".join(_runs(element)))
    if isinstance(element, Arrow):
        elsewhere = "" if element.in_source else " (not in the text)"
        arrow = f" ──{escape(element.relation)}──&gt; "
        words = f"{_mark(element.head, 'head')}{arrow}{_mark(element.tail, 'tail')}"
        return _block(f"{words}{_probability(element.probability)}{elsewhere}")
    if isinstance(element, Entity):
        return _block(f"{_mark(element.text, 'head')} ({escape(element.type)}){_probability(element.probability)}")
    if isinstance(element, Bars):
        return f'<table style="border-collapse:collapse">{"".join(_rows(element))}</table>'
    return _block(escape(visible(element.text)))


def _block(content: str) -> str:
    return f'<p style="{_BLOCK}">{content}</p>'


def _runs(marked: MarkedText) -> Iterator[str]:
    pairs = zip(marked.text, marked.roles, strict=True)
    for role, run in groupby(pairs, key=lambda pair: pair[1]):
        yield _mark("".join(character for character, _ in run), role)


def _mark(text: str, role: Role | None) -> str:
    if role is None:
        return escape(text)
    # The color of the text is named too, because a dark theme would write white on these backgrounds.
    style = f"background:{_BACKGROUNDS[role]};color:#000;border-radius:0.2em;padding:0 0.15em"
    return f'<mark style="{style}">{escape(text)}</mark>'


def _probability(probability: float | None) -> str:
    return "" if probability is None else f"   p {probability:.2f}"


def _rows(bars: Bars) -> Iterator[str]:
    best = max(bars.probabilities.values())
    for label, probability in bars.probabilities.items():
        color = _BEST if probability == best else _OTHER
        bar = f"display:inline-block;height:0.8em;width:{15 * probability:.2f}em;background:{color}"
        yield (
            f'<tr><td style="text-align:left">{escape(visible(label))}</td>'
            f'<td style="text-align:left;width:15em"><span style="{bar}"></span></td><td>{probability:.2f}</td></tr>'
        )
