"""A model that writes what it is told, whatever it reads: only its rules can make it write something else."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID
from makers.models import FakeModel

_CERTAIN = 30.0


def scripted(
    like: BioGPT, *texts: str, max_positions: int = 1024, model: type[FakeModel] = FakeModel, **manifest: Any
) -> BioGPT:
    """A bundle with another's tokenizer, whose model writes a text behind the soft prompt.

    Of several texts, each is written behind a prompt that holds its number as `text 1`, `text 2` and so on. It is on a
    GPU if the model is one for devices.
    """
    tokenizer = like.tokenizer
    scripts = [[*tokenizer.encode(text)[1:], EOS_ID] for text in texts]
    marks = [tokenizer.encode(f"text {number}")[1:] for number in range(1, len(texts) + 1)]

    def answer(past: list[int]) -> int:
        last = max(place for place, token in enumerate(past) if token in tokenizer.soft_prompt_ids)
        script = next(
            (script for script, mark in zip(scripts, marks, strict=True) if _holds(past[:last], mark)), scripts[0]
        )
        written = len(past) - last - 1
        return script[written] if written < len(script) else EOS_ID

    # A prompt is read token by token: before the soft prompt is there, nothing is asked.
    def logits(past: list[int]) -> npt.NDArray[np.float32]:
        row = np.zeros(tokenizer.vocab_size, dtype=np.float32)
        row[answer(past) if tokenizer.soft_prompt_ids[-1] in past else EOS_ID] = _CERTAIN
        return row

    architecture = replace(like.manifest.architecture, max_positions=max_positions)
    changed = replace(like.manifest, architecture=architecture, **manifest)
    return BioGPT(model(logits, tokenizer.vocab_size, max_positions).backend, tokenizer, changed)


def _holds(ids: Sequence[int], wanted: Sequence[int]) -> bool:
    return any(list(ids[start : start + len(wanted)]) == list(wanted) for start in range(len(ids)))
