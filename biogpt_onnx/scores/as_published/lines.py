"""Generated texts as the post-processing programs beside Microsoft's checkpoints read them.

A program takes each text as a line. It removes white space around it and one full stop at its end. Then it looks for
openings, in a fixed order: of the first that the line has, the rest behind its last occurrence is kept, and no further
opening is looked for. What is left states relations, or an answer or labels behind a fixed phrase.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.tasks.statements.template import StatementTemplate

_SOFT_PROMPT = re.compile("(?:learned[0-9]+ )+")
_CONCLUDING, _HAVING = "we can conclude that", "we have that"

FAILED = "failed"
"""The answer of a text that gives none, and the first entity of one that states no relation."""


@dataclass(frozen=True)
class LineReader:
    """Reading of the texts of a task.

    Attributes:
        openings: texts that the program looks for after those of the soft prompt, in its order.
    """

    openings: tuple[str, ...] = (_CONCLUDING, _HAVING, "in conclusion,")

    def content(self, text: str) -> str:
        """Returns a text without what surrounds its statements."""
        line = text.strip()
        line = line.removesuffix(".")
        found = [match.end() for match in _SOFT_PROMPT.finditer(line)]
        if found:
            return line[found[-1] :].strip()
        opening = next((each for each in self.openings if each in line), None)
        return line if opening is None else line.rpartition(opening)[2].strip()

    def behind(self, text: str, phrase: str) -> str:
        """Returns what stands behind the first occurrence of a phrase, or `FAILED` if the text lacks it."""
        _, found, rest = self.content(text).partition(phrase)
        return rest.strip() if found else FAILED


@dataclass(frozen=True)
class StatementReader:
    """Reading of the relations that a text states.

    Attributes:
        template: the statement of a relation, see `StatementTemplate`.
        separator: text between two statements.
        lines: reading of a line.
        strips: whether white space around a statement is removed before it is read; otherwise a statement with white
            space before it is none.
    """

    template: str
    separator: str
    lines: LineReader
    strips: bool

    def statements(self, text: str) -> tuple[dict[str, str], ...]:
        """Returns the texts in the slots of each statement, in order.

        A statement may have further text behind it. Of several ways to read one, the first slot gets the longest text,
        then the second, and so on. A slot may be empty.
        """
        parsed = StatementTemplate(self.template)
        pattern = re.compile("(.*)".join(map(re.escape, parsed.literals)))
        found = (self._match(pattern, part) for part in self.lines.content(text).split(self.separator))
        return tuple(
            dict(zip(parsed.slots, (slot.strip() for slot in slots), strict=True))
            for slots in found
            if slots is not None
        )

    def _match(self, pattern: re.Pattern[str], part: str) -> Sequence[str] | None:
        match = pattern.match(part.strip() if self.strips else part)
        return None if match is None else match.groups()
