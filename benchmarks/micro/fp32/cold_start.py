"""A cold process from its start to the last of 16 tokens, beside one that only imports ONNX Runtime."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from export_memory import peak_of_export

COLD_STARTS = 15


def measure(folder: Path, mini: Path) -> Mapping[str, object]:
    """Medians, their ratio, and the samples."""
    bundle = folder / "mini"
    peak_of_export(str(mini), bundle)
    command = Path(sys.executable).with_name("biogpt-onnx")
    tokens = ["--max-new-tokens=16", "--min-new-tokens=16"]
    commands = {
        "import": [sys.executable, "-c", "import onnxruntime"],
        "generate": [str(command), "generate", str(bundle), "The patient was treated with", *tokens],
    }
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(COLD_STARTS + 1):
        for name, parts in commands.items():
            seconds = _seconds(parts)
            if number:  # the first of each fills the page cache
                samples[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    return {
        "import_onnxruntime_seconds": medians["import"],
        "generate_seconds": medians["generate"],
        "generate_to_import": medians["generate"] / medians["import"],
        "samples": samples,
    }


def _seconds(command: list[str]) -> float:
    # Both without telemetry, so that neither pays for it.
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
