"""Who is measured: a command that loads one model and speaks the protocol."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from biogpt_onnx.bench.floors import ModelSize, step_bytes
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, WEIGHTS_FILE, Manifest, check_files, hash_file, read_manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

OURS = "biogpt-onnx"

# A process with its libraries, and what a model grows by when its weights are rearranged for the CPU.
_PROCESS_BYTES = 300_000_000
_LOADED_SHARE = 1.5


@dataclass(frozen=True)
class Contender:
    """A process that can be measured.

    Attributes:
        name: what the report calls it.
        family: the package that runs it; `OURS` for this one.
        precision: how its weights are stored, such as "int8".
        command: what starts it, for a number of threads.
        digest: tells this model's files from any other's.
        disk_bytes: what the model takes on disk.
        step_bytes: weights that one step must read.
        size: the model's sizes, which make its floors.
        max_positions: tokens that a sequence may have.
        vocab_size: prompts are drawn from ids below it.
        variant: which of a family, such as "int8-weights".
        remark: what a fair reader must know of it.
        resident_bytes: memory that it is known or expected to take.
        environment: variables that its process gets.
        stands_for_others: whether it is measured in every scenario of a comparison, or only in those for all.
        device: "cpu" or "cuda". What the CPU's cores can do is no floor of a GPU.
    """

    name: str
    family: str
    precision: str
    command: Callable[[int], list[str]] = field(repr=False)
    digest: str
    disk_bytes: int
    step_bytes: int
    size: ModelSize
    max_positions: int
    vocab_size: int
    variant: str = ""
    remark: str = ""
    resident_bytes: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    stands_for_others: bool = True
    device: str = "cpu"

    def describe(self) -> dict[str, object]:
        """What a row says of it."""
        return {
            "name": self.name,
            "family": self.family,
            "variant": self.variant,
            "precision": self.precision,
            "remark": self.remark,
            "device": self.device,
            "digest": self.digest,
            "disk_bytes": self.disk_bytes,
            "step_bytes": self.step_bytes,
        }


def bundle_contender(
    folder: Path,
    name: str | None = None,
    *,
    prepack: bool = True,
    stands_for_others: bool = True,
    device: Literal["cpu", "cuda"] = "cpu",
) -> Contender:
    """A bundle, to be measured in processes of their own.

    Raises:
        BundleError: there is no whole bundle.
        ProviderError: the device cannot be had, or does not run this bundle.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    choose_backend(import_onnxruntime(), device, manifest.precision)
    more = [] if prepack else ["--no-prepack"]
    if device != "cpu":
        more += ["--device", device]
    module = [sys.executable, "-m", "biogpt_onnx.bench.serve", str(folder.resolve()), *more]
    return Contender(
        name=name or (folder.resolve().name if device == "cpu" else f"{folder.resolve().name} on {device}"),
        family=OURS,
        variant=manifest.recipe or manifest.precision,
        precision=manifest.precision,
        command=lambda threads: [*module, "--threads", str(threads)],
        digest=hash_file(folder / MANIFEST_FILE),
        disk_bytes=manifest.num_bytes,
        step_bytes=_step_bytes(manifest),
        size=ModelSize.of(manifest.architecture),
        max_positions=manifest.architecture.max_positions,
        vocab_size=manifest.architecture.vocab_size - manifest.architecture.soft_prompt_size,
        resident_bytes=expected_resident_bytes(manifest.num_bytes),
        environment={"ORT_DISABLE_TELEMETRY": "1"},
        stands_for_others=stands_for_others,
        device=device,
    )


def expected_resident_bytes(model_bytes: int) -> int:
    """Memory that a process with a model of that size on disk may take, on the safe side."""
    return _PROCESS_BYTES + int(_LOADED_SHARE * model_bytes)


def check_precisions(contenders: Mapping[Path, Contender], wanted: tuple[str, ...]) -> None:
    """Refuses a bundle of another precision or recipe than those that were asked for, if any were.

    Raises:
        ConfigError: names the bundle and what it is.
    """
    for folder, contender in contenders.items():
        if wanted and contender.precision not in wanted and contender.variant not in wanted:
            recipe = f" (recipe {contender.variant})" if contender.variant != contender.precision else ""
            raise ConfigError(
                f"{folder} is a bundle of precision {contender.precision}{recipe}, asked for was "
                f"{' or '.join(wanted)}: name another bundle, or make one with `biogpt-onnx quantize`"
            )


def _step_bytes(manifest: Manifest) -> int:
    known = step_bytes(ModelSize.of(manifest.architecture), manifest.precision)
    if known is not None:
        return known
    weights = manifest.files.get(WEIGHTS_FILE)
    # The float32 position table is in the file, but a step reads one row of it.
    positions = 4 * manifest.architecture.max_positions * manifest.architecture.hidden_size
    return (weights.size if weights else manifest.num_bytes) - positions
