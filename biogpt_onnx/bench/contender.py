"""Contenders: programs that load one model, speak the protocol, and are measured."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from biogpt_onnx.bench.roofline import ModelSize, step_bytes
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, WEIGHTS_FILE, Manifest, check_files, hash_file, read_manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

OURS = "biogpt-onnx"

# Memory of a process with its libraries, and the growth of a model whose weights are rearranged for the CPU.
_PROCESS_BYTES = 300_000_000
_LOADED_SHARE = 1.5


@dataclass(frozen=True)
class Contender:
    """A model and a package that runs it, which can be measured in a process of its own.

    Attributes:
        name: its name in reports.
        family: the package that runs it; `OURS` for this one.
        precision: how its weights are stored, such as "int8".
        command: returns the command that starts it, for a number of threads.
        digest: digest that tells this model's files from any other's.
        disk_bytes: size of the model on disk.
        step_bytes: bytes of weights that one decoding step must read.
        size: the model's sizes, from which the roofline model computes its least times.
        max_positions: tokens that a sequence may have.
        vocab_size: bound of token ids, below which prompts are drawn.
        variant: its variant within the family, such as "int8-weights".
        remark: what a fair reader must know of it.
        resident_bytes: memory that it is known or expected to take.
        environment: environment variables that its process gets in addition.
        in_all_scenarios: whether it is measured in every scenario of a comparison; if not, only in those with
            `Scenario.for_all`.
        device: "cpu" or "cuda".
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
    in_all_scenarios: bool = True
    device: str = "cpu"

    def describe(self) -> dict[str, object]:
        """Returns the fields that a result row holds of it."""
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


def bundle_contender(  # noqa: PLR0913 -- the folder, its name, and how it is loaded
    folder: Path,
    name: str | None = None,
    *,
    prepack: bool = True,
    in_all_scenarios: bool = True,
    device: Literal["cpu", "cuda"] = "cpu",
    check_memory: bool = True,
) -> Contender:
    """Returns a bundle as a contender.

    Args:
        folder: the bundle's folder.
        name: its name in reports; None for the folder's name.
        prepack: whether float32 weights are rearranged for the CPU.
        in_all_scenarios: see `Contender`.
        device: the device that it runs on.
        check_memory: False to load it even where memory seems too small.

    Raises:
        BundleError: the folder is no whole bundle, or one of a classifier.
        ProviderError: the device is not available, or does not run this bundle.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if manifest.head is not None:
        raise BundleError(
            f"{folder} has a {manifest.head.kind} head and cannot generate, which is what is measured: name bundles of "
            "language models"
        )
    choose_backend(import_onnxruntime(), device, manifest.precision)
    more = [] if prepack else ["--no-prepack"]
    if not check_memory:
        more += ["--no-memory-check"]
    if device != "cpu":
        more += ["--device", device]
    module = [sys.executable, "-m", "biogpt_onnx.bench.measuring.serve", str(folder.resolve()), *more]
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
        in_all_scenarios=in_all_scenarios,
        device=device,
    )


def expected_resident_bytes(model_bytes: int) -> int:
    """Returns an upper estimate of the memory of a process with a model of that size on disk."""
    return _PROCESS_BYTES + int(_LOADED_SHARE * model_bytes)


def check_precisions(contenders: Mapping[Path, Contender], wanted: tuple[str, ...]) -> None:
    """Refuses bundles of other precisions or recipes than the wanted ones.

    Args:
        contenders: the bundles' contenders, by their folders.
        wanted: names of precisions and recipes; empty for any.

    Raises:
        ConfigError: a bundle is of another precision and recipe.
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
