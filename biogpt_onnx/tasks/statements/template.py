"""The sentence in which a model states a relation, and how it is read back."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from biogpt_onnx.runtime.errors import ConfigError

HEAD, TAIL, RELATION = "head", "tail", "relation"
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class Statement:
    """A sentence with blanks.

    Attributes:
        template: such as "the relation between {head} and {tail} exists", with {relation} where that is named.

    Raises:
        ConfigError: {head} or {tail} is missing, a blank is unknown or there twice, or two have no words between.
    """

    template: str

    def __post_init__(self) -> None:
        fields = self.fields
        unknown = set(fields) - {HEAD, TAIL, RELATION}
        if unknown or len(set(fields)) < len(fields) or not {HEAD, TAIL} <= set(fields):
            raise ConfigError(
                f"the statement is {self.template!r}: give {{head}} and {{tail}}, and {{relation}} or not, each once"
            )
        if not all(words.strip() for words in self.words[:-1]):
            raise ConfigError(f"the statement is {self.template!r}: put words before and between its blanks")

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the blanks, in order."""
        return tuple(_FIELD.findall(self.template))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What stands before, between and after the blanks; one more than there are blanks, the last maybe empty."""
        return tuple(_FIELD.split(self.template)[::2])

    def readings(self, text: str) -> Iterator[dict[str, str]]:
        """Every way to read a text as this statement, none if it is none.

        First comes the one in which the first blank is longest, then the second, and so on: the reading that greedy
        regular expressions give, which microsoft/BioGPT's scripts use.
        """
        text = text.strip()
        first, *between, last = self.words
        if text.startswith(first) and text.endswith(last):
            inner = text[len(first) : len(text) - len(last)]
            for parts in _splits(inner, between):
                if all(part.strip() for part in parts):
                    yield dict(zip(self.fields, (part.strip() for part in parts), strict=True))


def _splits(text: str, separators: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if not separators:
        yield (text,)
        return
    end = len(text)
    while (place := text.rfind(separators[0], 0, end)) >= 0:
        for rest in _splits(text[place + len(separators[0]) :], separators[1:]):
            yield (text[:place], *rest)
        # The next one may overlap this, but must begin before it.
        end = place + len(separators[0]) - 1
