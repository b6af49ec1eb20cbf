"""The most memory that an export takes for itself, whatever the model's size."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from safetensors_source import write_safetensors

_SAMPLE_SECONDS = 0.002


class Peak(NamedTuple):
    """What a command took.

    Attributes:
        anonymous_bytes: the most memory at one moment that no file stands behind. Pages of mapped files are not
            counted: the system takes them back whenever it needs them.
        seconds: how long the command ran.
        samples: how often it was looked at.
    """

    anonymous_bytes: int
    seconds: float
    samples: int


def measure(folder: Path, presets: Iterable[str]) -> Mapping[str, object]:
    """Exports each preset from a safetensors folder in half precision, then takes one step with the bundle."""
    return {preset: _measure_preset(folder, preset) for preset in presets}


def _measure_preset(folder: Path, preset: str) -> Mapping[str, object]:
    source, bundle = folder / "checkpoint", folder / "bundle"
    write_safetensors(open_checkpoint(preset), source, "float16")
    peak = peak_of_export(str(source), bundle)
    manifest = read_manifest(bundle)
    session = DecoderSession(bundle, manifest, prepack=False)
    logits = session.forward(np.array([[2, 4, 5]]), session.new_cache(1, 3))
    shutil.rmtree(source)
    shutil.rmtree(bundle)
    return {
        "peak_anonymous_bytes": peak.anonymous_bytes,
        "seconds": peak.seconds,
        "samples": peak.samples,
        "bundle_bytes": manifest.num_bytes,
        "logits_are_finite": bool(np.isfinite(logits).all()),
    }


def peak_of_export(source: str, bundle: Path) -> Peak:
    """Exports in a process of its own, which fails if it imports torch."""
    program = (
        "import sys; from biogpt_onnx.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules))"
    )
    return _peak([sys.executable, "-c", program, "export", source, "-o", str(bundle)])


def _peak(command: list[str]) -> Peak:
    start, peak, samples = time.perf_counter(), 0, 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _anonymous(process.pid))
        samples += 1
        time.sleep(_SAMPLE_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Peak(peak, time.perf_counter() - start, samples)


def _anonymous(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("RssAnon:")), "RssAnon: 0 kB")
    return int(line.split()[1]) * 1024
