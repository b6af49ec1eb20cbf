"""BioGPT in OpenVINO, by optimum-intel, with its weights in 8 or in 4 bits."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.generating import generate
from benchmarks.compare.peers.protocol import Adapter, Clock, run

_BITS = {"int8": 8, "int4": 4}


class OpenVino:
    """BioGPT loaded by optimum-intel."""

    def __init__(self, folder: Path, variant: str, threads: int) -> None:
        from optimum.intel import OVModelForCausalLM

        del variant  # the weights say it themselves
        settings = {"INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        self._model: Any = OVModelForCausalLM.from_pretrained(folder, device="CPU", ov_config=settings)

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates so many new tokens by `generate`."""
        return generate(self._model, prompts, new_tokens, num_beams, clock)

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of all positions: [tokens, vocabulary]."""
        import torch

        prompt = torch.tensor([ids])
        logits: npt.NDArray[np.float32] = self._model(prompt, attention_mask=torch.ones_like(prompt)).logits[0].numpy()
        return logits


def prepare(checkpoint: Path, output: Path, variant: str) -> None:
    """Exports the model and quantizes its weights, by the default of OpenVINO for that many bits.

    Where its groups do not divide a weight, that weight's groups are smaller.
    """
    from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig

    # In 4 bits weights are in groups of 128, of which BioGPT-Large's 1,600 features are no multiple.
    smaller_groups = {"group_size_fallback": "adjust"} if variant == "int4" else {}
    config = OVWeightQuantizationConfig(bits=_BITS[variant], **smaller_groups)
    model: Any = OVModelForCausalLM.from_pretrained(checkpoint, export=True, compile=False, quantization_config=config)
    model.save_pretrained(output)


ADAPTER = Adapter(
    variants=tuple(_BITS),
    packages=("openvino", "optimum-intel", "nncf", "transformers", "torch"),
    prepare=prepare,
    load=OpenVino,
)

if __name__ == "__main__":
    sys.exit(run(ADAPTER))
