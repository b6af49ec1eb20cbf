"""Seconds of a cold process from its start to the last of 16 tokens, beside one that only imports ONNX Runtime."""

import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.model_files import export_in_process
from benchmarks.processes import run_to_end

COLD_STARTS = 15


def measure(folder: Path, mini: Path) -> Mapping[str, object]:
    """Measures both processes in turns, with the page cache warm.

    Args:
        folder: for temporary files.
        mini: the embedded checkpoint.

    Returns:
        Medians in seconds, their ratio, and the samples.
    """
    bundle = folder / "mini"
    export_in_process(str(mini), bundle)
    command = Path(sys.executable).with_name("biogpt-onnx")
    tokens = ["--max-new-tokens=16", "--min-new-tokens=16"]
    commands = {
        "import": [sys.executable, "-c", "import onnxruntime"],
        "generate": [str(command), "generate", str(bundle), "The patient was treated with", *tokens],
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(COLD_STARTS + 1):
        for name, parts in commands.items():
            # Both without telemetry, so that neither pays for it.
            ended = run_to_end(parts, {"ORT_DISABLE_TELEMETRY": "1"})
            if number:  # the first of each fills the page cache
                samples[name].append(ended.seconds)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    return {
        "import_onnxruntime_seconds": medians["import"],
        "generate_seconds": medians["generate"],
        "generate_to_import": medians["generate"] / medians["import"],
        "samples": samples,
    }
