"""Bundle as a contender.

`python -m biogpt_onnx.bench.measuring.serve BUNDLE --threads N [--no-prepack] [--no-memory-check] [--device cuda]`
"""

import argparse
import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from biogpt_onnx._version import __version__
from biogpt_onnx.bench.measuring.protocol import serve
from biogpt_onnx.runtime.backends.chunks import chunks, logits_by_chunk
from biogpt_onnx.runtime.backends.cpu.huge_pages import wait_for_moves
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import check_files, read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.options import Device, LoadOptions
from biogpt_onnx.runtime.ort.providers import import_onnxruntime


class BundleModel:
    """A bundle that generates by the searches of `BioGPT.generate_ids`, but never ends a text early.

    Args:
        folder: the bundle's folder.
        threads: threads of one step.
        prepack: whether float32 weights are rearranged for the CPU.
        device: the device that it runs on.

    Raises:
        BundleError: the folder is no whole bundle.
        ProviderError: the device is not available, or does not run this bundle.
    """

    def __init__(
        self, folder: Path, threads: int, *, prepack: bool, device: Device = "cpu", check_memory: bool = True
    ) -> None:
        manifest = read_manifest(folder)
        check_files(folder, manifest)
        self._reads_as_it_steps = manifest.steps is None
        options = LoadOptions(device=device, threads=threads, prepack=prepack, check_memory=check_memory)
        self._backend = open_backend(folder, manifest, options)

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int) -> list[float]:
        """Continues prompts of equal length; returns the times of their tokens, see `protocol.Model.generate`."""
        config = GenerationConfig(max_new_tokens=new_tokens, num_beams=num_beams, eos_token_id=None)
        requests = [Request([SequenceState(tuple(ids), new_tokens, eos_token_id=None)]) for ids in prompts]
        times = [perf_counter() for _ in run_search(self._backend, requests, config, Limits())]
        # Beams of several prompts are searched one prompt, or one group of them, after the other: all have a token when
        # the last one has it.
        return times[-new_tokens:]

    def settle(self) -> None:
        """Waits until the weights lie where they stay."""
        wait_for_moves()

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Computes the logits after each token, [tokens, vocab]; where steps have a graph of their own, by that one."""
        cache = self._backend.new_cache(1, len(ids))
        if self._reads_as_it_steps:
            return np.concatenate(list(logits_by_chunk(self._backend, ids, cache)))
        return np.concatenate([self._backend.verify(ids[chunk], cache).logits() for chunk in chunks(0, len(ids))])


def main() -> int:
    """Loads the bundle and answers requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--no-prepack", action="store_true")
    parser.add_argument("--no-memory-check", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    start = perf_counter()
    try:
        model = BundleModel(
            options.bundle,
            options.threads,
            prepack=not options.no_prepack,
            device=options.device,
            check_memory=not options.no_memory_check,
        )
    except (BioGptError, OSError, MemoryError) as error:
        sys.stdout.write(json.dumps({"error": " ".join(str(error).split())}) + "\n")
        return 1
    seconds = perf_counter() - start
    versions = {
        "biogpt-onnx": __version__,
        "onnxruntime": import_onnxruntime().__version__,
        "numpy": np.__version__,
    }
    serve(model, {"load_seconds": seconds, "versions": versions})
    return 0


if __name__ == "__main__":
    sys.exit(main())
