"""Quantization of bundles: a recipe chooses the layers, and the graph is built anew with them.

`quantize_bundle` and `evaluate_bundle` do it in one call; importing this package loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from biogpt_onnx.runtime.errors import BundleError

if TYPE_CHECKING:
    from biogpt_onnx.quantize.api import Quantization, quantize_bundle
    from biogpt_onnx.quantize.evaluate.bundles import evaluate_bundle
    from biogpt_onnx.quantize.evaluate.head_evaluation import HeadEvaluation
    from biogpt_onnx.quantize.evaluate.report import Evaluation

__all__ = ["Evaluation", "HeadEvaluation", "Quantization", "evaluate_bundle", "quantize_bundle"]

# Comparing needs the runtime alone; only quantizing needs more.
_HOMES = {
    "Evaluation": "evaluate.report",
    "HeadEvaluation": "evaluate.head_evaluation",
    "Quantization": "api",
    "evaluate_bundle": "evaluate.bundles",
    "quantize_bundle": "api",
}


def __getattr__(name: str) -> object:
    """Imports what is asked for when it is asked for.

    Raises:
        BundleError: packages of the extra `export` are not installed, which quantizing needs.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found: object = getattr(import_module(f"biogpt_onnx.quantize.{_HOMES[name]}"), name)
    except ImportError as error:
        raise BundleError(f'quantize needs more packages ({error}): pip install "biogpt-onnx[export]"') from error
    return found
