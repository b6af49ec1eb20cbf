"""Reading of generated texts: the statements that they consist of, and the ways to read each as a relation."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple

from biogpt_onnx.runtime.results import Generation
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.statements.constraint import StatementConstraint
from biogpt_onnx.tasks.statements.separation import Separation
from biogpt_onnx.tasks.statements.template import RELATION, StatementTemplate

# With which microsoft/BioGPT's scripts let a statement begin: the names of a soft prompt's rows, and idle words.
_LEAD_INS = re.compile(r"(?:(?:(?:learned\d+|in conclusion\s*,|we can conclude that|we have that)\s*)+)\Z")


@dataclass(frozen=True)
class Statement:
    """A part of a generated text.

    Attributes:
        text: The text, without the full stop at its end.
        score: Log-probability of its tokens and of those that end it, in nats.
        parses: The ways to fill a template's slots that give the text; none if it is no statement.
    """

    text: str
    score: float
    parses: Sequence[Mapping[str, str]]


def read_constrained(
    tokenizer: BioGptTokenizer, constraint: StatementConstraint, labels: Sequence[str], generation: Generation
) -> Iterator[Statement]:
    """Yields the statements of a text that was generated with a constraint, which knows where they are divided.

    Args:
        tokenizer: The model's tokenizer.
        constraint: The constraint.
        labels: The labels of the relation, if the constraint has a slot for it.
        generation: The generated text; the last statement may be unfinished.
    """
    names = {tuple(tokenizer.encode(label)[1:]): label for label in labels}

    def text_of(slot: str, ids: tuple[int, ...]) -> str:
        return names[ids] if slot == RELATION else tokenizer.decode(ids).strip()

    scores, start = generation.sequences[0].log_probabilities, 0
    for statement in constraint.read(generation.token_ids):
        parses = [{slot: text_of(slot, ids) for slot, ids in reading.items()} for reading in statement.readings]
        text = _without_full_stop(tokenizer.decode(statement.token_ids))
        if text:
            yield Statement(text, fsum(scores[start : statement.end]), parses)
        start = statement.end


def read_free(tokenizer: BioGptTokenizer, template: StatementTemplate, generation: Generation) -> Iterator[Statement]:
    """Yields the statements of a text that was generated without a constraint, and what stands between them.

    Reads what microsoft/BioGPT's scripts read: statements begin behind a semicolon and perhaps some idle words, such as
    "in conclusion,", which are left out; words behind the last ones of the template belong to no relation. Beyond that,
    a semicolon within a name does not divide a statement.

    Args:
        tokenizer: The model's tokenizer.
        template: The template of a statement.
        generation: The generated text.
    """
    reader = _FreeReader(tokenizer, template, generation)
    parts, index = reader.parts(), 0
    while index < len(parts):
        size = reader.num_joined(parts[index:])
        yield from reader.statements(parts[index].joined(parts[index + size - 1]))
        index += size


class _Part(NamedTuple):
    """Tokens between two separators, from `start` to `stop`, and the index behind the separator."""

    start: int
    stop: int
    end: int

    def joined(self, last: "_Part") -> "_Part":
        return _Part(self.start, last.stop, last.end)


class _FreeReader:
    def __init__(self, tokenizer: BioGptTokenizer, template: StatementTemplate, generation: Generation) -> None:
        self._tokenizer, self._template = tokenizer, template
        self._ids = generation.token_ids
        self._scores = generation.sequences[0].log_probabilities

    def parts(self) -> list[_Part]:
        parts, start = [], 0
        for ids, end in Separation(self._tokenizer).statements(self._ids):
            parts.append(_Part(start, start + len(ids), end))
            start = end
        return parts

    def num_joined(self, parts: Sequence[_Part]) -> int:
        """Returns how many parts, from the first on, are one statement; one if none are."""
        for size, part in enumerate(parts, start=1):
            if (self._template.literals[0] in self._text(part.start, part.stop)) != (size == 1):
                break
            _, statement, _ = self._divided(self._text(parts[0].start, part.stop))
            if any(self._template.parses(statement)):
                return size
        return 1

    def statements(self, part: _Part) -> Iterator[Statement]:
        """Yields a part's statement, and the words before and behind it as statements of nothing."""
        before, statement, behind = self._divided(self._text(part.start, part.stop))
        start = next(
            (place for place in range(part.start, part.stop) if self._text(place, part.stop) == statement + behind),
            part.start,
        )
        score = fsum(self._scores[start : part.end])
        parses = tuple(self._template.parses(statement))
        read = [(before, ()), (statement, parses), (behind, ())]
        yield from (Statement(text.strip(), score, parses) for text, parses in read if text.strip())

    def _text(self, start: int, stop: int) -> str:
        return _without_full_stop(self._tokenizer.decode(self._ids[start:stop]))

    def _divided(self, text: str) -> tuple[str, str, str]:
        """Returns the words before a statement, the statement, and the words behind it."""
        first, last = self._template.literals[0], self._template.literals[-1]
        place = max(0, text.find(first))
        lead_in = _LEAD_INS.search(text[:place])
        before, statement = (text[: lead_in.start()], text[place:]) if lead_in else ("", text)
        end = statement.rfind(last) + len(last)
        if last and not any(self._template.parses(statement)) and any(self._template.parses(statement[:end])):
            return before, statement[:end], statement[end:]
        return before, statement, ""


def _without_full_stop(text: str) -> str:
    return text.strip().removesuffix(".").rstrip()
