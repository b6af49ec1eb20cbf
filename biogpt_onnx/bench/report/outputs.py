"""Output files of a run beside its rows: the report and the plots."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.bench.report.markdown_report import report
from biogpt_onnx.bench.report.plots import check_matplotlib, draw
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.runtime.errors import ConfigError


@dataclass(frozen=True)
class Outputs:
    """Paths of the output files.

    Attributes:
        report: the Markdown file; None for none.
        plots: the folder of the plots, made if it does not exist; None for none.
    """

    report: Path | None
    plots: Path | None

    def check(self) -> None:
        """Refuses outputs that could not be written, before the work whose result they would be.

        Raises:
            ConfigError: a path cannot be written to, or matplotlib is not installed.
        """
        if self.report is not None and (self.report.is_dir() or not _can_write(self.report)):
            raise ConfigError(f"report {self.report} cannot be written: name a file in a folder of yours")
        if self.plots is None:
            return
        check_matplotlib()
        if self.plots.exists() and not (self.plots.is_dir() and os.access(self.plots, os.W_OK)):
            raise ConfigError(f"plots {self.plots} is no folder that can be written to: name another")
        if not _can_write(self.plots):
            raise ConfigError(f"plots {self.plots} cannot be made: name a folder in one of yours")

    def write(self, rows: Sequence[Row]) -> str:
        """Writes the report and the plots of some rows, and returns the report.

        Raises:
            OSError: a file cannot be written.
        """
        text = report(rows)
        if self.report is not None:
            self.report.write_text(text, encoding="utf-8", newline="\n")
        if self.plots is not None:
            self.plots.mkdir(exist_ok=True)
            draw(rows, self.plots)
        return text


def check_rows(rows: Sequence[Row]) -> None:
    """Refuses rows of an earlier run of which no report could be made, before others are measured.

    Raises:
        ConfigError: a row lacks a field or has one of another kind, as one of an earlier version or changed by hand.
    """
    try:
        report(rows)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ConfigError(
            f"the rows of an earlier run cannot be reported ({type(error).__name__}: {error}): name another file, "
            "or say --restart to measure everything anew"
        ) from error


def _can_write(path: Path) -> bool:
    return path.parent.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK)
