"""transformers on a device, in a process of its own.

Run as `python -m benchmarks.gpu.transformers_peer FOLDER DEVICE DTYPE`. The request `{"generate": {"prompts": [[ids]],
"new_tokens": n, "static": bool}}`, all prompts of one length, is answered by the seconds that `generate` took until the
tokens were on the CPU, and the tokens. With "static" the cache has a fixed size, for which `generate` compiles the
decoding by itself, in the mode "reduce-overhead", where the device is a GPU.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.serving import Handlers, serve

if TYPE_CHECKING:
    from biogpt_onnx.bench.measuring.process import PinnedProcess

_PAD_ID = 1


class Generated(NamedTuple):
    """Result of a call of `generate`.

    Attributes:
        seconds: that it took, from the prompts' ids to the tokens.
        token_ids: the new tokens of each prompt.
        compiled: whether the decoding was compiled.
    """

    seconds: float
    token_ids: list[list[int]]
    compiled: bool


@dataclass(frozen=True)
class Peer:
    """transformers in a process of its own.

    Attributes:
        process: the process.
    """

    process: "PinnedProcess"

    @property
    def version(self) -> str:
        """The version of transformers."""
        return str(self.process.hello["version"])

    def generate(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, seconds: float, *, static: bool = False
    ) -> Generated:
        """Generates exactly so many tokens for each prompt.

        Args:
            prompts: token ids, of equal length.
            new_tokens: of each prompt.
            seconds: that it may take.
            static: whether the cache has a fixed size.

        Raises:
            ContenderError: it failed, or took more time.
        """
        request = {"prompts": [list(prompt) for prompt in prompts], "new_tokens": new_tokens, "static": static}
        return Generated(**self.process.ask({"generate": request}, patience=seconds))


@contextmanager
def transformers_peer(folder: Path, device: str, dtype: str, seconds: float) -> Iterator[Peer]:
    """Starts transformers and ends it with the block.

    Args:
        folder: the weights in Hugging Face form.
        device: "cuda" or "cpu".
        dtype: of weights and computation, "float16" or "float32".
        seconds: that loading may take.

    Raises:
        ContenderError: transformers cannot load the model.
    """
    from benchmarks.processes import started

    with started("gpu.transformers_peer", folder, device, dtype, patience=seconds) as process:
        yield Peer(process)


def _load(folder: str, device: str, dtype: str) -> tuple[Mapping[str, object], Handlers]:
    import torch
    import transformers

    load: Any = transformers.BioGptForCausalLM.from_pretrained
    model = load(folder, dtype=getattr(torch, dtype), attn_implementation="sdpa").to(device).eval()
    # No token ends a text, so that exactly as many are generated as are asked for.
    model.generation_config.eos_token_id = None
    return {"version": transformers.__version__}, {"generate": partial(_generate, torch, model)}


def _generate(
    torch: Any,  # noqa: ANN401 -- imported where it is measured
    model: Any,  # noqa: ANN401 -- of transformers, which is imported there, too
    prompts: list[list[int]],
    new_tokens: int,
    static: bool,  # noqa: FBT001 -- from JSON
) -> Mapping[str, object]:
    start = perf_counter()
    # What is compiled is called as `generate` calls it, under its own `no_grad`.
    with contextlib.nullcontext() if static else torch.inference_mode():
        ids = torch.tensor(prompts, device=model.device)
        written = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=_PAD_ID,
            **({"cache_implementation": "static"} if static else {}),
        )
        # To bring the tokens to the CPU is to wait for them.
        tokens = written[:, ids.shape[1] :].tolist()
    seconds = perf_counter() - start
    if any(len(row) != new_tokens for row in tokens):
        raise RuntimeError(f"{[len(row) for row in tokens]} tokens were generated, not {new_tokens}")
    return {"seconds": seconds, "token_ids": tokens, "compiled": static and hasattr(model, "_compiled_call")}


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
