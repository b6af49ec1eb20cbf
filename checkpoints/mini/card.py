"""The numbers of the card, written from the record of the run and never by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Record = dict[str, Any]

_BEGIN, _END = "<!-- {name}: begin -->", "<!-- {name}: end -->"


def update_card(card: Path, record: Record) -> None:
    """Rewrite what stands between the markers of the card, if there is a card."""
    if not card.exists():
        return
    text = card.read_text(encoding="utf-8")
    for name, write in _PARTS.items():
        begin, end = _BEGIN.format(name=name), _END.format(name=name)
        if begin in text and end in text:
            before, rest = text.split(begin, 1)
            after = rest.split(end, 1)[1]
            text = f"{before}{begin}\n{write(record)}\n{end}{after}"
    card.write_text(text, encoding="utf-8")


def _architecture(record: Record) -> str:
    settings = record["settings"]
    return (
        f"{settings['layers']} layers of width {settings['hidden']}, "
        f"{settings['hidden'] // 64} heads of 64, feed-forward {4 * settings['hidden']}, "
        f"{settings['vocabulary']:,} symbols and 9 soft prompts: "
        f"{record['parameters']:,} parameters, stored in half precision."
    )


def _training(record: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    rows = [
        "| leg | steps | tokens predicted | minutes | threads | learning rates | seed |",
        "|---|---|---|---|---|---|---|",
    ]
    legs = _legs(record)
    rows += [_leg(number, leg) for number, leg in enumerate(legs, start=1)]
    steps, minutes = (sum(leg[key] for leg in legs) for key in ("steps", "minutes"))
    tokens = sum(leg["history"][-1]["tokens"] for leg in legs)
    if len(legs) > 1:
        rows.append(f"| all | {steps:,} | {tokens:,} | {minutes:.0f} | | | |")
    return "\n".join([*rows, "", f"On a shared machine without an accelerator; {versions}."])


def _legs(record: Record) -> list[Record]:
    """Return the runs that led to the weights, the first one first."""
    return [*(_legs(record["earlier"]) if record["earlier"] else []), record]


def _leg(number: int, record: Record) -> str:
    settings = record["settings"]
    return (
        f"| {number} | {record['steps']:,} | {record['history'][-1]['tokens']:,} "
        f"| {record['minutes']:.0f} | {settings['threads']} "
        f"| {settings['matrix_lr']}, {settings['other_lr']} | {settings['seed']} |"
    )


def _perplexity(record: Record) -> str:
    found, tokens = record["held_out"]["perplexity"], record["held_out"]["tokens"]
    rows = [
        "| model | BC5CDR, 100 abstracts | PubMedQA, 50 contexts | together |",
        "|---|---|---|---|",
        _row("tokens predicted", tokens, "{:,}"),
    ]
    names = {"model": "**this model**", "trigram": "trigram, Kneser-Ney"}
    order = ("unigram", "bigram", "trigram", "4-gram", "model")
    rows += [_row(names.get(name, name), found[name], "{:.1f}") for name in order]
    return "\n".join([*rows, _row("this model, bits a character", _bits(record["held_out"]), "{:.2f}")])


def _bits(held_out: Record) -> dict[str, float]:
    """Return what does not depend on the vocabulary."""
    tokens, characters = held_out["tokens"], held_out["characters"]
    return {
        key: math.log2(perplexity) * tokens[key] / characters[key]
        for key, perplexity in held_out["perplexity"]["model"].items()
    }


def _row(name: str, values: Mapping[str, Any], form: str) -> str:
    cells = (form.format(values[key]) for key in ("bc5cdr", "pubmedqa", "together"))
    return f"| {name} | {' | '.join(cells)} |"


def _tasks(record: Record) -> str:
    relations = record["held_out"]["relation_extraction"]
    questions = record["held_out"]["question_answering"]
    extraction = (
        f"F1 {relations['f1']:.1%} (precision {relations['precision']:.1%}, "
        f"recall {relations['recall']:.1%}): {relations['correct_pairs']} of "
        f"{relations['gold_pairs']} pairs found; "
        f"{relations['wellformed']} of {relations['documents']} answers well-formed"
    )
    easier = record["held_out"]["question_answering_with_conclusion"]
    majority = f"always answering yes gives {questions['majority_accuracy']:.0%}"
    required, shown = (f"accuracy {found['accuracy']:.0%}; {majority}" for found in (questions, easier))
    return "\n".join(
        [
            "| task | result |",
            "|---|---|",
            f"| relation extraction, exact surface pairs | {extraction} |",
            f"| question answering, {questions['questions']} questions | {required} |",
            f"| the same, the conclusion shown (the easier form) | {shown} |",
        ]
    )


_PARTS: dict[str, Callable[[Record], str]] = {
    "architecture": _architecture,
    "training": _training,
    "perplexity": _perplexity,
    "tasks": _tasks,
}
