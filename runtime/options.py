"""Options of loading a bundle."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.bundle.architecture import MIN_POSITIONS
from biogpt_onnx.runtime.bundle.digest import check_digest_form
from biogpt_onnx.runtime.decoding import checks
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
        huge_pages: True to move prepacked weights to huge pages of memory half a second after they are loaded, beside
            the passes, on Linux from 6.1 on, unless an administrator has forbidden huge pages. Passes are faster then,
            and no more memory is taken. Weights that are mapped from a file stay as they are.
        warm_up: True to load the tables for uncommon words in the background at once, which takes half a second; False
            to load them with the first such word.
        expect: digest that the bundle must have, "sha256:" and 64 hexadecimal digits, as `biogpt-onnx info` prints it.
            All files of the bundle are then read and compared with their hashes, and another bundle or an altered file
            is refused. None to compare the files' sizes alone.
        max_positions: most tokens of a sequence, the new ones included, at most the model's; it bounds the memory of
            the key-value cache. None for the model's.
        check_memory: True to compare the memory that the bundle and its caches need on a CPU with what the process's
            control groups (its container) and the machine leave, before it is taken: what does not fit is a
            `MemoryLimitError`. False to try it. Limits can be read on Linux only.
    """

    device: Device = "auto"
    threads: int | None = None
    prepack: bool = True
    share_weights: bool = False
    cache_folder: Path | None = None
    mixed_passes: bool = False
    huge_pages: bool = True
    warm_up: bool = True
    expect: str | None = None
    max_positions: int | None = None
    check_memory: bool = True

    def __post_init__(self) -> None:
        """Refuses options that contradict each other.

        Raises:
            ConfigError: an option that is true or false is neither, a cache folder is given without `share_weights`,
                `expect` is no digest, or `max_positions` no number of positions.
        """
        for name in ("prepack", "share_weights", "mixed_passes", "huge_pages", "warm_up", "check_memory"):
            checks.flag(name, getattr(self, name))
        if self.cache_folder is not None and not self.share_weights:
            raise ConfigError(f"cache_folder is {str(self.cache_folder)!r}, but only share_weights=True uses a cache")
        if self.expect is not None:
            check_digest_form("expect", self.expect)
        if self.max_positions is not None:
            checks.whole_number(MIN_POSITIONS)("max_positions", self.max_positions)

    def limited(self, manifest: Manifest) -> Manifest:
        """Returns a manifest whose sequences have at most `max_positions` tokens.

        Raises:
            ConfigError: the model has fewer positions.
        """
        architecture, most = manifest.architecture, self.max_positions
        if most is None or most == architecture.max_positions:
            return manifest
        if most > architecture.max_positions:
            raise ConfigError(
                f"max_positions is {most:,}, and the model has {architecture.max_positions:,} positions: give at most "
                "as many"
            )
        return replace(manifest, architecture=replace(architecture, max_positions=int(most)))
