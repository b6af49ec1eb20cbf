"""Prompt templates: the source text of a prompt as a text with places for the document's parts."""

import re
from dataclasses import dataclass

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.checks import check_settings
from biogpt_onnx.tasks.document import Document, as_document
from biogpt_onnx.tasks.prompts.source import Source

_TEXT, _TITLE, _QUESTION = "text", "title", "question"
_PLACE = re.compile(r"\{(\w*)\}|(\{\{|\}\})|[{}]")


@dataclass(frozen=True)
class PromptTemplate:
    """A source builder that fills a text with a document.

    Attributes:
        template: The text, with {text} once, and {title} and {question} where documents have them; "{{" stands for a
            brace.
        lower: Converts the source text to lower case.

    Raises:
        ConfigError: The template has other places, or {text} not once, or a setting is of another type.
    """

    template: str = "{text}"
    lower: bool = False

    def __post_init__(self) -> None:
        check_settings("the prompt", self)
        found = [match[1] for match in _PLACE.finditer(self.template) if not match[2]]
        if None in found or not {*found} <= {_TEXT, _TITLE, _QUESTION}:
            raise ConfigError(f"the template is {self.template!r}: use {{text}}, {{title}} and {{question}} alone")
        if found.count(_TEXT) != 1:
            raise ConfigError(f"the template is {self.template!r}: give {{text}} in it, once")

    @property
    def has_question(self) -> bool:
        """True if the document's question is part of the source text."""
        return any(match[1] == _QUESTION for match in _PLACE.finditer(self.template))

    def __call__(self, document: Document) -> Source:
        """Returns the template filled with a document; text and title are traced to the document's full text.

        Raises:
            PromptError: The document is of another type.
        """
        document = as_document(document)
        parts: dict[str, tuple[str, int | None]] = {
            _TEXT: (document.text, len(document.full_text) - len(document.text)),
            _TITLE: (document.title, 0),
            _QUESTION: (document.question, None),
        }
        pieces: list[tuple[str, int | None]] = []
        end = 0
        for match in _PLACE.finditer(self.template):
            pieces.append((self.template[end : match.start()], None))
            pieces.append((match[2][0], None) if match[2] else parts[match[1]])
            # Each character of the document has one place in the source.
            parts[_TITLE] = (document.title, None) if match[1] == _TITLE else parts[_TITLE]
            end = match.end()
        pieces.append((self.template[end:], None))
        return Source.of(pieces, lower=self.lower)
