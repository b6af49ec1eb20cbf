"""Advice on bundles: measures them on this machine, and says which suits which use."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.bench.advice.bundle_subject import NEEDED_POSITIONS, BundleSubject
from biogpt_onnx.bench.advice.cores import Cores, describe_cores, thread_counts
from biogpt_onnx.bench.advice.measurements import BundleFacts, Measurement
from biogpt_onnx.bench.advice.processor import instruction_sets, kernel_family, may_have_avx512
from biogpt_onnx.bench.advice.recommending import Recommendation, recommend
from biogpt_onnx.bench.advice.rounds import take_rounds
from biogpt_onnx.bench.contender import Contender, bundle_contender
from biogpt_onnx.bench.machine import cpu_model
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import Manifest, read_manifest
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system.memory import available_memory

DEFAULT_SECONDS = 15.0
"""Seconds of measuring after which no further round is begun."""
_MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class Advice:
    """What suits this machine.

    Attributes:
        processor: the processor's own name.
        kernels: family of kernels that it has.
        cores: the cores that the process may use.
        measurements: what was measured, of each bundle with each number of threads.
        recommendations: one for each use.
        are_of_one_model: True if all bundles are of models of one size.
    """

    processor: str
    kernels: str
    cores: Cores
    measurements: tuple[Measurement, ...]
    recommendations: tuple[Recommendation, ...]
    are_of_one_model: bool = True


def advise(
    folders: Sequence[Path],
    *,
    threads: Sequence[int] = (),
    seconds: float = DEFAULT_SECONDS,
    check_memory: bool = True,
    progress: Progress | None = None,
) -> Advice:
    """Measures bundles on this machine, in turns, and recommends one for each use.

    Nothing is written but what the bundles' processes say, into a temporary folder.

    Args:
        folders: the bundles.
        threads: numbers of threads; none for one, parts of the cores, and all.
        seconds: seconds of measuring after which no further round is begun.
        check_memory: False to load the bundles even where memory seems too small.
        progress: called with the numbers of turns that are done and expected.

    Raises:
        BundleError: a folder is no whole bundle of a language model.
        ConfigError: a bad setting, a bundle is too short for the measurement, or not all fit into memory.
        ContenderError: a bundle's process failed.
    """
    cores, sets = describe_cores(), instruction_sets()
    counts = _checked_threads(threads, cores)
    if not 0 <= seconds < float("inf"):
        raise ConfigError(f"seconds is {seconds:g}: give 0 or more")
    manifests = {folder: read_manifest(folder) for folder in dict.fromkeys(folders)}
    contenders = _contenders(manifests, check_memory=check_memory)
    if check_memory:
        _check_memory(contenders, len(counts))
    pairs = [
        (contender, Measurement(bundle_facts(contender, manifest, may_have_avx512=may_have_avx512(sets)), count))
        for contender, manifest in zip(contenders, manifests.values(), strict=True)
        for count in counts
    ]
    with tempfile.TemporaryDirectory(prefix="biogpt-onnx-advise-") as logs, ExitStack() as stack:
        subjects = [
            BundleSubject(contender, measurement, Path(logs) / f"{number}.log", stack)
            for number, (contender, measurement) in enumerate(pairs)
        ]
        take_rounds(subjects, seconds, progress=progress)
    measurements = tuple(measurement for _, measurement in pairs)
    return Advice(
        cpu_model(),
        kernel_family(sets),
        cores,
        measurements,
        tuple(recommend(measurements)),
        are_of_one_model=len({contender.size for contender in contenders}) == 1,
    )


def bundle_facts(contender: Contender, manifest: Manifest, *, may_have_avx512: bool) -> BundleFacts:
    """Returns what is known of a bundle without measuring.

    Args:
        contender: the bundle.
        manifest: its manifest.
        may_have_avx512: True if the processor has AVX-512, or may have it.
    """
    return BundleFacts(
        contender.name,
        contender.variant,
        contender.disk_bytes,
        perplexity_increase=_perplexity_increase(manifest),
        is_original=manifest.precision == "fp32" and manifest.recipe is None,
        holds_rows_apart=is_batch_invariant(manifest, has_avx512=may_have_avx512),
    )


def _perplexity_increase(manifest: Manifest) -> float | None:
    try:
        value = (manifest.evaluation or {})["perplexity_increase"]["value"]
    except (KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) else None


def _checked_threads(threads: Sequence[int], cores: Cores) -> tuple[int, ...]:
    for count in threads:
        if not 1 <= count <= cores.usable:
            raise ConfigError(f"threads is {count}: this process may use {cores.usable}, give 1 to {cores.usable}")
    return tuple(dict.fromkeys(threads)) or thread_counts(cores)


def _contenders(manifests: dict[Path, Manifest], *, check_memory: bool) -> list[Contender]:
    found = [bundle_contender(folder, check_memory=check_memory) for folder in manifests]
    names = [contender.name for contender in found]
    for contender in found:
        if names.count(contender.name) > 1:
            raise ConfigError(f"two bundles are called {contender.name}: rename one's folder")
        if contender.max_positions < NEEDED_POSITIONS:
            raise ConfigError(
                f"{contender.name} has {contender.max_positions} positions, and {NEEDED_POSITIONS} are measured: leave "
                "it out"
            )
    return found


def _check_memory(contenders: Sequence[Contender], num_counts: int) -> None:
    needed, available = num_counts * sum(each.resident_bytes for each in contenders), available_memory()
    if available is not None and needed > _MEMORY_SHARE * available:
        raise ConfigError(
            f"all bundles with all numbers of threads need about {needed / 1e9:.1f} GB of memory together, "
            f"{available / 1e9:.1f} GB are available: name fewer bundles, or one number of threads with --threads"
        )
