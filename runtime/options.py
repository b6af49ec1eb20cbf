"""Options of loading a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from biogpt_onnx.runtime.bundle.digest import check_digest_form
from biogpt_onnx.runtime.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options of `load`: the device that runs a bundle, and the storage of its weights.

    Attributes:
        device: device that runs the bundle: "cpu", "cuda", or "auto" for the best one that can; `BioGPT.device` names
            the one that was taken. Bundles in half precision run on a GPU; if there is a GPU but it fails, "auto" warns
            and takes the CPU.
        threads: number of threads that compute one pass; None for one a core. More than the cores that the process may
            use, by its affinity and the CPU quota of its container, are cut to these, with a warning.
        prepack: True to rearrange the weights once while loading, into a copy in memory. Prefill, beams and batches are
            faster then, and a row's logits are the same to the last bit in any batch. False starts at once, maps the
            weights from the file, and is the faster for one sequence at a time. Quantized weights are always prepacked:
            ONNX Runtime would unpack them at every step otherwise.
        share_weights: True to keep the prepacked weights in a cache on the disk, where the first load writes them and
            later ones map them, so that any number of processes has one copy in memory and starts faster. It takes
            twice the bundle's disk space, on the CPU only, and the answers are the same to the last bit.
        cache_folder: folder of the cache of prepacked weights; None for `$BIOGPT_ONNX_CACHE`, or else a folder of the
            user's. Nobody else may be able to write to it.
        mixed_passes: True to open the bundle's mixed graph, with which `BioGPT.concurrent` reads a piece of a prompt
            and steps the running sequences in one pass instead of two: for servers, on the CPU. The answers are the
            same to the last bit; a prompt that is read while nothing else runs takes a few percent longer. A bundle
            without that graph, which an earlier version wrote, is opened as without this option.
        warm_up: True to load the tables for uncommon words in the background at once, which takes half a second; False
            to load them with the first such word.
        expect: digest that the bundle must have, "sha256:" and 64 hexadecimal digits, as `biogpt-onnx info` prints it.
            All files of the bundle are then read and compared with their hashes, and another bundle or an altered file
            is refused. None to compare the files' sizes alone.
    """

    device: Device = "auto"
    threads: int | None = None
    prepack: bool = True
    share_weights: bool = False
    cache_folder: Path | None = None
    mixed_passes: bool = False
    warm_up: bool = True
    expect: str | None = None

    def __post_init__(self) -> None:
        """Refuses options that contradict each other.

        Raises:
            ConfigError: a cache folder is given without `share_weights`, or `expect` is no digest.
        """
        if self.cache_folder is not None and not self.share_weights:
            raise ConfigError(f"cache_folder is {str(self.cache_folder)!r}, but only share_weights=True uses a cache")
        if self.expect is not None:
            check_digest_form("expect", self.expect)
