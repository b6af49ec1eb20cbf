"""A picture of where the error comes from."""

import importlib.util
from pathlib import Path

from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.runtime.errors import ConfigError

SUFFIXES = (".svg", ".png")


def check_plot(path: Path) -> None:
    """Refuses a picture that could not be drawn, before the work whose result it would show.

    Raises:
        ConfigError: another kind of file than `SUFFIXES`, no folder for it, or matplotlib is not installed.
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
        ConfigError: see `check_plot`.
        OSError: the file cannot be written.
    """
    check_plot(path)
    # An extra. Not pyplot, which would look for a screen.
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
    # Neither the time nor random ids go into the file.
    is_svg = path.suffix.lower() == ".svg"
    with rc_context({"svg.hashsalt": "biogpt-onnx"}):
        figure.savefig(path, metadata={"Date": None} if is_svg else None)
