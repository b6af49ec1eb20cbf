"""The series of a long run as a figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biogpt_onnx.reporting.figures import COLOURS, new_figure, save_figure

_PANELS = {
    "resident_bytes": ("resident memory, MB", 1e-6),
    "threads": ("threads", 1.0),
    "open_files": ("open files", 1.0),
    "files": ("files in its folder", 1.0),
}
_MINUTE = 60


def draw(series: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draws memory, threads, open files and files of each process over time.

    Args:
        series: samples by the name of the process.
        path: an `.svg` or `.png` file.

    Raises:
        OSError: the file cannot be written.
    """
    figure = new_figure(9, 6)
    for axes, (name, (label, factor)) in zip(figure.subplots(2, 2).flat, _PANELS.items(), strict=True):
        for colour, (job, samples) in zip(COLOURS, series.items(), strict=False):
            minutes = [sample["seconds"] / _MINUTE for sample in samples]
            axes.plot(minutes, [sample[name] * factor for sample in samples], color=colour, linewidth=1, label=job)
        axes.set(title=label, xlabel="minutes", ylim=(0, None))
        axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    save_figure(figure, path)
