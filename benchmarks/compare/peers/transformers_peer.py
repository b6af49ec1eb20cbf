"""BioGPT in transformers: float32 and bfloat16, not compiled and with its step compiled over a static cache."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.generating import generate
from benchmarks.compare.peers.protocol import Adapter, Clock, run

# A compiled step is made for one length of the cache: a few lengths for all requests, and little to attend in vain.
_CACHE_GRAIN = 64
# One compilation for each length and batch that is asked for, none of them for shapes of any size.
_MOST_COMPILATIONS = 64


class Transformers:
    """BioGPT loaded in transformers."""

    def __init__(self, folder: Path, variant: str, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        precision, _, self._compiled = variant.partition("-")
        load: Any = transformers.BioGptForCausalLM.from_pretrained
        self._model = load(folder, dtype=_dtype(precision), attn_implementation="sdpa").eval()

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates so many new tokens by `generate`, compiled if the variant says so."""
        settings = self._compilation(len(prompts[0]) + new_tokens) if self._compiled else {}
        return generate(self._model, prompts, new_tokens, num_beams, clock, **settings)

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of all positions, not compiled, which would be for this length alone."""
        import torch

        with torch.inference_mode():
            output = self._model(torch.tensor([ids]), use_cache=False)
        logits: npt.NDArray[np.float32] = output.logits[0].float().numpy()
        return logits

    def _compilation(self, length: int) -> dict[str, Any]:
        """Returns settings that make `generate` compile its steps on a CPU, which it does by itself only elsewhere."""
        import torch._dynamo
        from transformers import CompileConfig

        torch._dynamo.config.recompile_limit = _MOST_COMPILATIONS  # noqa: SLF001 -- the documented place of the limit
        config: Any = CompileConfig(dynamic=False, mode="default")
        config._compile_all_devices = True  # noqa: SLF001 -- the only switch there is
        # Or the cache would stay as long as the longest there has been, and every step attend to all of it.
        self._model._previous_max_cache_length = -1  # noqa: SLF001 -- there is no other way
        return {
            "cache_implementation": "static",
            "max_cache_len": -(-length // _CACHE_GRAIN) * _CACHE_GRAIN,
            "compile_config": config,
        }


def prepare(checkpoint: Path, output: Path, variant: str) -> None:
    """Writes the folder again in the variant's precision."""
    import transformers

    load: Any = transformers.BioGptForCausalLM.from_pretrained
    load(checkpoint, dtype=_dtype(variant.partition("-")[0])).save_pretrained(output)


def _dtype(precision: str) -> Any:  # noqa: ANN401 -- torch's, which is imported late
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


ADAPTER = Adapter(
    variants=("fp32", "bf16", "fp32-compiled", "bf16-compiled"),
    packages=("transformers", "torch"),
    prepare=prepare,
    load=Transformers,
)

if __name__ == "__main__":
    sys.exit(run(ADAPTER))
