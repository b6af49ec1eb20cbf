"""Peak of the anonymous memory of an export, from half-precision safetensors."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.model_files import export_in_process, write_safetensors
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest


def measure(folder: Path, presets: Iterable[str]) -> Mapping[str, object]:
    """Exports each preset from a safetensors folder in half precision, then takes one step with the bundle.

    Args:
        folder: for temporary files.
        presets: such as "preset:biogpt".

    Returns:
        For each preset the peak memory in bytes, seconds, and the bundle's size.
    """
    return {preset: _measure_preset(folder, preset) for preset in presets}


def _measure_preset(folder: Path, preset: str) -> Mapping[str, object]:
    source, bundle = folder / "checkpoint", folder / "bundle"
    write_safetensors(open_checkpoint(preset), source, "float16")
    ended = export_in_process(str(source), bundle)
    manifest = read_manifest(bundle)
    session = DecoderSession(bundle, manifest, as_stored=True)
    logits = session.forward(np.array([[2, 4, 5]]), session.new_cache(1, 3))
    shutil.rmtree(source)
    shutil.rmtree(bundle)
    return {
        "peak_anonymous_bytes": ended.peak_anonymous_bytes,
        "seconds": ended.seconds,
        "samples": ended.samples,
        "bundle_bytes": manifest.num_bytes,
        "logits_are_finite": bool(np.isfinite(logits).all()),
    }
