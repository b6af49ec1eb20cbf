"""How a bundle is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from biogpt_onnx.runtime.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """Where a bundle runs and how its weights are kept; the options of `load`.

    Attributes:
        device: "cpu", "cuda", or "auto" for the best device that runs the bundle; `BioGPT.device` says which it is.
            Bundles in half precision run on a GPU; where a GPU is there but fails, "auto" warns and takes the CPU.
        threads: threads that compute one pass; None for one a core.
        prepack: rearrange the weights once while loading, into a copy in memory. Prefill, beams and batches are faster
            then, and a row's logits are the same to the last bit in any batch. False starts at once, maps the weights
            from the file, and is the faster for one sequence at a time. Quantized weights are always prepacked: ONNX
            Runtime would unpack them at every step otherwise.
        share_weights: keep the prepacked weights in a cache on the disk, where the first load writes them and later
            ones map them, so that any number of processes has one copy in memory and starts faster. It takes twice the
            bundle's disk space, on the CPU only, and the answers are the same to the last bit.
        cache_folder: folder of that cache; None for `$BIOGPT_ONNX_CACHE`, or else a folder of the user's. Nobody else
            may be able to write to it.
        warm_up: load what uncommon words need, which takes half a second, in the background at once; False leaves it
            to the first such word.
    """

    device: Device = "auto"
    threads: int | None = None
    prepack: bool = True
    share_weights: bool = False
    cache_folder: Path | None = None
    warm_up: bool = True

    def __post_init__(self) -> None:
        """Refuses options that contradict each other.

        Raises:
            ConfigError: they do.
        """
        if self.cache_folder is not None and not self.share_weights:
            raise ConfigError(f"cache_folder is {str(self.cache_folder)!r}, but only share_weights=True uses a cache")
