"""A picture of how confidence and accuracy go together."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.calibration import Calibration

SUFFIXES = (".png", ".svg")

# Okabe and Ito's colours, which people with any colour vision can tell apart (Color Universal Design, 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"


def check_calibration_plot(path: Path) -> None:
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


def plot_calibration(path: Path, calibrations: Mapping[str, Calibration], title: str) -> None:
    """Draws accuracy against confidence, and how many answers there are of each confidence, to a file.

    Args:
        path: a `.png` or `.svg` file; equal calibrations have equal `.svg` files.
        calibrations: of each system, by its name.
        title: what stands above the picture.

    Raises:
        ConfigError: see `check_calibration_plot`, or there is nothing to draw.
        OSError: the file cannot be written.
    """
    if not calibrations:
        raise ConfigError("there is no calibration to draw: give that of at least one system")
    check_calibration_plot(path)
    # An extra. Not pyplot, which would look for a screen.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6.5, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _reliability(upper, calibrations)
    _histogram(lower, calibrations)
    upper.set_title(title)
    # Neither the time nor random ids go into the file.
    is_svg = path.suffix.lower() == ".svg"
    with rc_context({"svg.hashsalt": "biogpt-onnx"}):
        figure.savefig(path, metadata={"Date": None} if is_svg else None)


def _reliability(axes: Any, calibrations: Mapping[str, Calibration]) -> None:  # noqa: ANN401 -- matplotlib has no types
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", label="as confident as right")
    for number, (name, found) in enumerate(calibrations.items()):
        bins = [each for each in found.bins if each.count]
        axes.plot(
            [each.confidence for each in bins],
            [each.accuracy for each in bins],
            marker=_MARKERS[number % len(_MARKERS)],
            color=_COLOURS[number % len(_COLOURS)],
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
            color=_COLOURS[number % len(_COLOURS)],
        )
    axes.set_xlabel("confidence, the probability that the model gives to its answer")
    axes.set_ylabel("answers")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
