"""Subject of the checks: a half-precision bundle on the device, and the bundles that it is compared with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import biogpt_onnx
from benchmarks.gpu.checks.nearness import LIMITS, Nearness
from benchmarks.gpu.models import MINI_CHECKPOINT, as_model, open_on
from benchmarks.gpu.parts import Clock
from biogpt_onnx import BioGPT, Generation
from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession

PROMPTS = (
    "Aspirin inhibits",
    "The patient was treated with",
    "COVID-19 is",
    "In mice, insulin",
    "Cisplatin-induced nephrotoxicity",
    "The aim of this study was to",
    "Mutations in the BRCA1 gene",
    "We report a case of",
)


@dataclass(frozen=True)
class Subject:
    """A bundle of the embedded checkpoint that is checked.

    Attributes:
        folder: the bundle.
        accelerator: the device.
        session: the bundle on the device.
        ours: a model over that session.
        exact: the float32 bundle on the CPU.
        reference: the same bundle on the CPU, or the float32 one where the CPU cannot run it.
        nearness: compares with `exact`, by the precision's limit.
        clock: the time that is left of the run.
        dry: whether the device is a stand-in, for which less is computed.
    """

    folder: Path
    accelerator: Accelerator
    session: DeviceSession
    ours: BioGPT
    exact: BioGPT
    reference: BioGPT
    nearness: Nearness
    clock: Clock
    dry: bool
    checkpoint: Path = MINI_CHECKPOINT

    @classmethod
    def open(cls, made: Path, recipe: str, accelerator: Accelerator, clock: Clock, *, dry: bool) -> "Subject":
        """Opens a recipe's bundle among those that were made in a folder."""
        folder = made / recipe
        session = open_on(folder, accelerator)
        exact = biogpt_onnx.load(made / "fp32", device="cpu", warm_up=False)
        return cls(
            folder=folder,
            accelerator=accelerator,
            session=session,
            ours=as_model(folder, session),
            exact=exact,
            reference=biogpt_onnx.load(folder, device="cpu", warm_up=False) if recipe == "fp16" else exact,
            nearness=Nearness(exact, LIMITS[recipe]),
            clock=clock,
            dry=dry,
        )

    @property
    def new_tokens(self) -> int:
        """The number of tokens that each prompt is continued by."""
        return 16 if self.dry else 64

    @property
    def prompt_ids(self) -> list[list[int]]:
        """The prompts' tokens."""
        return [self.exact.tokenizer.encode(prompt) for prompt in PROMPTS]

    def write(self, model: BioGPT, **settings: Any) -> list[Generation]:  # noqa: ANN401 -- GenerationConfig checks each
        """Has a model continue all prompts in one call."""
        return model.generate(list(PROMPTS), **{"max_new_tokens": self.new_tokens} | settings)


def token_ids(generations: list[Generation]) -> list[list[int]]:
    """Returns the new tokens of each generation."""
    return [list(generation.token_ids) for generation in generations]
