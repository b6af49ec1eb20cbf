"""Calibration in reports: a section in Markdown, and a reliability diagram."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from biogpt_onnx.reporting.figures import COLOURS, check_plot_file, new_figure, save_figure
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import percent
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.metrics.calibration import Calibration

SUFFIXES = (".png", ".svg")
"""Endings of a diagram's file."""

_MARKERS = "osD^vPX"


def calibration_section(calibrations: Mapping[str, Calibration]) -> Iterator[str]:
    """Yields each model's expected calibration error, and its reliability table without empty bins.

    Args:
        calibrations: the calibration of each model, by its name.
    """
    for name, found in calibrations.items():
        left_out = f", {found.left_out:,} without a known label left out" if found.left_out else ""
        yield (
            f"The expected calibration error of {name} is {percent(found.error)}, of {found.count:,} answers in "
            f"{len(found.bins)} bins{left_out}."
        )
        if found.count:
            yield table(
                ["confidence", "answers", "mean confidence", "right"],
                [
                    [
                        f"{each.low:.1%} to {each.high:.1%}",
                        f"{each.count:,}",
                        percent(each.confidence or 0.0),
                        percent(each.accuracy or 0.0),
                    ]
                    for each in found.bins
                    if each.count
                ],
            )


def check_calibration_plot(path: Path) -> None:
    """Refuses a diagram that could not be drawn, before the work whose result it would show.

    Args:
        path: the diagram's file.

    Raises:
        ConfigError: the file ends with none of `SUFFIXES` or has no folder, or matplotlib is not installed.
    """
    check_plot_file(path, SUFFIXES)


def plot_calibration(path: Path, calibrations: Mapping[str, Calibration], title: str) -> None:
    """Draws accuracy against confidence, and the number of answers of each confidence, to a file.

    Args:
        path: a `.png` or `.svg` file; equal calibrations have equal `.svg` files.
        calibrations: the calibration of each model, by its name.
        title: title of the diagram.

    Raises:
        ConfigError: `check_calibration_plot` refuses the file, or there is no calibration.
        OSError: the file cannot be written.
    """
    if not calibrations:
        raise ConfigError("there is no calibration to draw: give that of at least one system")
    check_calibration_plot(path)
    figure = new_figure(6.5, 7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _reliability(upper, calibrations)
    _histogram(lower, calibrations)
    upper.set_title(title)
    save_figure(figure, path)


def _reliability(axes: Any, calibrations: Mapping[str, Calibration]) -> None:  # noqa: ANN401 -- matplotlib has no types
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", label="as confident as right")
    for number, (name, found) in enumerate(calibrations.items()):
        bins = [each for each in found.bins if each.count]
        axes.plot(
            [each.confidence for each in bins],
            [each.accuracy for each in bins],
            marker=_MARKERS[number % len(_MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            label=f"{name}: expected calibration error {found.error:.3f}",
        )
    axes.set_ylabel("share that is right")
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)


def _histogram(axes: Any, calibrations: Mapping[str, Calibration]) -> None:  # noqa: ANN401 -- as above
    for number, found in enumerate(calibrations.values()):
        axes.stairs(
            [each.count for each in found.bins],
            [found.bins[0].low, *(each.high for each in found.bins)],
            color=COLOURS[number % len(COLOURS)],
        )
    axes.set_xlabel("confidence, the probability that the model gives to its answer")
    axes.set_ylabel("answers")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
