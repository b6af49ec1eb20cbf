"""The command line's progress line."""

from functools import partial

from biogpt_onnx.cli.termination import check
from biogpt_onnx.runtime.bulk.progress import ProgressLine

Progress = partial(ProgressLine, check=check)
"""A `ProgressLine` that also ends the work when the process was asked to end."""
