"""A task of the user's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.fitting import Prepared
from biogpt_onnx.tasks.source import Source

ResultT = TypeVar("ResultT")

_CONFIG = GenerationConfig(max_new_tokens=1024)


@dataclass(frozen=True)
class Task(Generic[ResultT]):
    """What is put before a fine-tuned model, and what is made of what it writes.

    Attributes:
        name: as a bundle's manifest has it, where it says so.
        parse: makes a result of the text that the model wrote and the document.
        template: the prompt, with {text}, and {title} and {question} where documents have them.
        lower: whether the prompt is in lower case.
        soft_prompt_size: rows of the soft prompt behind it; None for whatever the bundle has, 0 for none.
        config: how to decode; by default greedily.
        least_new_tokens: room for the answer that a document must leave.
    """

    name: str
    parse: Callable[[str, Document], ResultT]
    template: str = "{text}"
    lower: bool = False
    soft_prompt_size: int | None = None
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        try:
            marked = self.template.format(text="<text>", title="", question="")
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                f"task {self.name}: the template is {self.template!r}: use {{text}}, {{title}} and {{question}} alone"
            ) from error
        if marked.count("<text>") != 1:
            raise ConfigError(f"task {self.name}: the template is {self.template!r}: give {{text}} in it, once")

    def source(self, document: Document) -> Source:
        """The document in the form of the template."""
        before, _, after = self.template.partition("{text}")
        filled = [part.format(title=document.title, question=document.question) for part in (before, after)]
        start = len(document.full_text) - len(document.text)
        return Source.of([(filled[0], None), (document.text, start), (filled[1], None)], lower=self.lower)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = True) -> list[ResultT]:  # noqa: ARG002 -- there is nothing to keep to
        """What `parse` makes of each answer."""
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config)
        pairs = zip(prepared, generations, strict=True)
        return [self.parse(generation.text.strip(), one.document) for one, generation in pairs]
