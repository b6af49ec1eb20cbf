"""Scores of bundles at tasks: gold answers, metrics with intervals, baselines and reports.

`evaluate_task` does it all; importing this package loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biogpt_onnx.scores.evaluation import TaskEvaluation, evaluate_task

__all__ = ["TaskEvaluation", "evaluate_task"]


def __getattr__(name: str) -> object:
    """Imports what is asked for when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module("biogpt_onnx.scores.evaluation"), name)
    return found
