"""Plot of each layer's error."""

import importlib.util
from pathlib import Path

from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.runtime.errors import ConfigError

SUFFIXES = (".svg", ".png")
"""Endings of the files that can be drawn."""


def check_plot(path: Path) -> None:
    """Refuses a plot that could not be drawn, before the work whose result it would show.

    Raises:
        ConfigError: the file's ending is none of `SUFFIXES`, its folder does not exist, or matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"plot is {path}: name a file that ends with {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"plot is {path}, but there is no folder {path.parent}: make it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError('a plot needs matplotlib: pip install "biogpt-onnx[plot]"')


def plot_layer_errors(evaluation: Evaluation, path: Path) -> None:
    """Draws each layer's error to a file; equal evaluations have equal SVG files.

    Raises:
        ConfigError: `check_plot` refuses the file.
        OSError: the file cannot be written.
    """
    check_plot(path)
    # An extra. Not pyplot, which looks for a screen.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    layers = range(len(evaluation.layer_errors))
    axes.plot(layers, [error.keys for error in evaluation.layer_errors], marker="o", label="keys")
    axes.plot(layers, [error.values for error in evaluation.layer_errors], marker="s", label="values")
    axes.set_title(f"{evaluation.bundle} against {evaluation.baseline}")
    axes.set_xlabel("layer")
    axes.set_ylabel("relative error (L2)")
    axes.set_xticks(list(layers)[:: max(1, len(layers) // 24)])
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    # Neither the date nor random ids go into the file.
    is_svg = path.suffix.lower() == ".svg"
    with rc_context({"svg.hashsalt": "biogpt-onnx"}):
        figure.savefig(path, metadata={"Date": None} if is_svg else None)
