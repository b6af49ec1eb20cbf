"""Custom tasks: a prompt template and a parser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.definitions.checks import check_settings, owner_of
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.checks import check_answering
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.prompts.template import PromptTemplate

ResultT = TypeVar("ResultT")

_CONFIG = GenerationConfig(max_new_tokens=1024)


@dataclass(frozen=True)
class Task(Generic[ResultT]):
    """A custom task: the template of its prompts and the parser of its generated texts.

    Attributes:
        name: The task's name, as a bundle's manifest may record it.
        parse: Makes a result of the generated text and the document.
        template: The prompt's text, with {text}, and {title} and {question} where documents have them.
        lower: Converts the prompt to lower case.
        soft_prompt_size: Rows of the soft prompt behind the template; None accepts any number, 0 leaves it out.
        config: The decoding; by default greedy.
        least_new_tokens: Number of positions that a prompt must leave for the answer.

    Raises:
        ConfigError: The template has other fields, or {text} not once, or a setting is of another type.
    """

    name: str
    parse: Callable[[str, Document], ResultT]
    template: str = "{text}"
    lower: bool = False
    soft_prompt_size: int | None = None
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        check_settings(owner_of(self), self)
        try:
            _ = self._prompt
        except ConfigError as error:
            raise ConfigError(f"task {self.name}: {error}") from error

    def source(self, document: Document) -> Source:
        """Returns the template filled with a document.

        Raises:
            PromptError: It is of another type.
        """
        return self._prompt(document)

    @cached_property
    def _prompt(self) -> PromptTemplate:
        return PromptTemplate(self.template, self.lower)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = True) -> list[ResultT]:
        """Generates a text for each document and returns the parsed results; they are decoded together.

        Nothing is constrained.
        """
        check_answering(model, prepared, free=free)
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config)
        pairs = zip(prepared, generations, strict=True)
        return [self.parse(generation.text.strip(), one.document) for one, generation in pairs]
