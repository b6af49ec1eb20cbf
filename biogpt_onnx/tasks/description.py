"""Description of a term: what the model writes behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.tasks.fitting import Prepared
from biogpt_onnx.tasks.results import Description
from biogpt_onnx.tasks.source import SourceOf, full_text

# The settings of Microsoft's text generation.
_CONFIG = GenerationConfig(num_beams=5, min_new_tokens=100, max_new_tokens=1024, length_penalty=1.0)


@dataclass(frozen=True)
class DescriptionTask:
    """A term, continued by a model that was not fine-tuned. Nothing keeps it to the truth.

    Attributes:
        name: what the task is called.
        soft_prompt_size: 0, because none is put behind the term.
        source: the form of the term in the prompt.
        config: how to decode; by default by five beams of at least 100 tokens, as Microsoft does.
        least_new_tokens: room that a term must leave.
    """

    name: str = "description"
    soft_prompt_size: int | None = 0
    source: SourceOf = full_text
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = True) -> list[Description]:  # noqa: ARG002 -- there is nothing to keep to
        """A description of each term."""
        generations = model.generate_ids([one.prompt_ids for one in prepared], self.config)
        return [
            Description(
                one.document.full_text + generation.text, generation.score, complete=generation.finish_reason == "eos"
            )
            for one, generation in zip(prepared, generations, strict=True)
        ]
