"""Plot of each layer's error."""

from pathlib import Path

from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.reporting.figures import check_plot_file, new_figure, save_figure

SUFFIXES = (".svg", ".png")
"""Endings of the files that can be drawn."""


def check_plot(path: Path) -> None:
    """Refuses a plot that could not be drawn, before the work whose result it would show.

    Raises:
        ConfigError: the file's ending is none of `SUFFIXES`, its folder does not exist, or matplotlib is not installed.
    """
    check_plot_file(path, SUFFIXES)


def plot_layer_errors(evaluation: Evaluation, path: Path) -> None:
    """Draws each layer's error to a file; equal evaluations have equal SVG files.

    Raises:
        ConfigError: `check_plot` refuses the file.
        OSError: the file cannot be written.
    """
    check_plot(path)
    figure = new_figure(8, 4.5)
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
    save_figure(figure, path)
