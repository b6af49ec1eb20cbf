"""Statement templates: the sentence in which a model states a relation, and its parser."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from biogpt_onnx.runtime.errors import ConfigError

HEAD, TAIL, RELATION = "head", "tail", "relation"
_SLOT = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class StatementTemplate:
    """A sentence with slots for two entities and perhaps for their relation.

    Attributes:
        template: The sentence, such as "the relation between {head} and {tail} exists", with {relation} if it names
            the relation.

    Raises:
        ConfigError: {head} or {tail} is missing, a slot is unknown or occurs twice, or no words stand between two.
    """

    template: str

    def __post_init__(self) -> None:
        slots = self.slots
        unknown = set(slots) - {HEAD, TAIL, RELATION}
        if unknown or len(set(slots)) < len(slots) or not {HEAD, TAIL} <= set(slots):
            raise ConfigError(
                f"the statement is {self.template!r}: give {{head}} and {{tail}}, and {{relation}} or not, each once"
            )
        if not all(literal.strip() for literal in self.literals[:-1]):
            raise ConfigError(f"the statement is {self.template!r}: put words before and between its blanks")

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots, in order."""
        return tuple(_SLOT.findall(self.template))

    @cached_property
    def literals(self) -> tuple[str, ...]:
        """The texts before, between and after the slots: one more than there are slots; the last may be empty."""
        return tuple(_SLOT.split(self.template)[::2])

    def parses(self, text: str) -> Iterator[dict[str, str]]:
        """Yields every way to fill the slots that gives a text, as texts by slot; none if the text is no statement.

        The first one has the longest text in the first slot, then in the second, and so on. It is the one that greedy
        regular expressions give, which microsoft/BioGPT's scripts use.
        """
        text = text.strip()
        first, *between, last = self.literals
        if text.startswith(first) and text.endswith(last):
            inner = text[len(first) : len(text) - len(last)]
            for parts in _splits(inner, between):
                if all(part.strip() for part in parts):
                    yield dict(zip(self.slots, (part.strip() for part in parts), strict=True))


def _splits(text: str, separators: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yields every way to split a text at separators that follow each other, the longest first part first."""
    if not separators:
        yield (text,)
        return
    end = len(text)
    while (place := text.rfind(separators[0], 0, end)) >= 0:
        for rest in _splits(text[place + len(separators[0]) :], separators[1:]):
            yield (text[:place], *rest)
        # The next occurrence may overlap this one, but must begin before it.
        end = place + len(separators[0]) - 1
