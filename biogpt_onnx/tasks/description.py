"""Description of terms: continuations by a model that was not fine-tuned."""

from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.tasks.definitions.checks import check_settings, owner_of
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.checks import check_answering
from biogpt_onnx.tasks.prompts.source import SourceBuilder, full_text
from biogpt_onnx.tasks.results import Description

# The settings of Microsoft's text generation.
_CONFIG = GenerationConfig(num_beams=5, min_new_tokens=100, max_new_tokens=1024, length_penalty=1.0)


@dataclass(frozen=True)
class DescriptionTask:
    """Continuation of a term by a model that was not fine-tuned. Nothing keeps the text to the truth.

    Attributes:
        name: The task's name.
        soft_prompt_size: 0, because no soft prompt follows the term.
        source: Makes the source text from the document.
        config: The decoding; by default five beams of at least 100 tokens, as in Microsoft's script.
        least_new_tokens: Number of positions that a prompt must leave for the description.

    Raises:
        ConfigError: A setting is of another type.
    """

    name: str = "description"
    soft_prompt_size: int | None = 0
    source: SourceBuilder = full_text
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        check_settings(owner_of(self), self)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = True) -> list[Description]:
        """Returns a description of each term; they are decoded together, and nothing is constrained."""
        check_answering(model, prepared, free=free)
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config)
        return [
            Description(
                one.source.text + generation.text,
                generation.score,
                complete=generation.finish_reason == "eos",
                finish_reason=generation.finish_reason,
                usage=one.usage(generation),
            )
            for one, generation in zip(prepared, generations, strict=True)
        ]
