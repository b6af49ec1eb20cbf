"""Figures in files, drawn with matplotlib, which is an optional dependency (the extra `plot`)."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.errors import ConfigError

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which people with any colour vision can tell apart (Color Universal Design, 2008)."""


def has_matplotlib() -> bool:
    """Returns True if matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def check_plot_file(path: Path, suffixes: Sequence[str]) -> None:
    """Refuses a figure that could not be drawn, before the work whose result it would show.

    Args:
        path: the figure's file.
        suffixes: endings that it may have, in lower case and with their points.

    Raises:
        ConfigError: the file has another ending or no folder, or matplotlib is not installed.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"plot is {path}: name a file that ends with {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise ConfigError(f"plot is {path}, but there is no folder {path.parent}: make it first")
    if not has_matplotlib():
        raise ConfigError('a plot needs matplotlib: pip install "biogpt-onnx[plot]"')


def new_figure(width: float, height: float) -> Any:  # noqa: ANN401 -- matplotlib ships no types
    """Returns an empty `matplotlib.figure.Figure`.

    Args:
        width: in inches.
        height: in inches.
    """
    # Not pyplot, which would look for a screen.
    from matplotlib.figure import Figure  # noqa: PLC0415 -- an optional dependency

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:  # noqa: ANN401 -- as above
    """Writes a figure to a file; equal figures have equal SVG files.

    Args:
        figure: see `new_figure`.
        path: a file whose ending names the format, such as `.svg` or `.png`.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context  # noqa: PLC0415 -- an optional dependency

    # Neither the time nor random ids go into the file.
    is_svg = path.suffix.lower() == ".svg"
    with rc_context({"svg.hashsalt": "biogpt-onnx"}):
        figure.savefig(path, metadata={"Date": None} if is_svg else None)
