"""The graph by which sequences step, of bundles that read by another graph: their weights are in one file."""

from pathlib import Path

import onnx
import onnx_ir as ir

from biogpt_onnx.export.exporter import save_second_graph
from biogpt_onnx.export.graph.causal_lm import build_ragged_graph
from biogpt_onnx.export.graph.decoder import LayerChoices
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec
from biogpt_onnx.runtime.bundle.architecture import Architecture

SUFFIX = ".steps"
"""What names of the packed weights of linear layers have behind the weight's in the steps graph, where it is not the
first graph's packing."""


class StepsGraph:
    """A bundle's steps graph, whose weights are written into the first graph's file.

    It shares with the first graph what has the same name there: the table, positions, normalizations and biases.

    Args:
        architecture: network's shape.
        choices: layers that it is built of.
        first: the bundle's first graph, whose parameters have no values yet. Those that only the steps graph has are
            declared in it, so that they get values and are written with its own.
    """

    def __init__(self, architecture: Architecture, choices: LayerChoices, first: ir.Model) -> None:
        self._model = build_ragged_graph(architecture, choices)
        declared = first.graph.initializers
        own = [
            parameter
            for name, parameter in self._model.graph.initializers.items()
            if parameter.const_value is None and name not in declared
        ]
        for parameter in own:
            declared.add(ir.Value(name=parameter.name, type=parameter.type, shape=parameter.shape))
        self._own = [str(parameter.name) for parameter in own]

    def save(self, folder: Path) -> GraphSpec:
        """Writes the graph, and the first graph again without the weights that it does not use.

        Args:
            folder: bundle's folder, in which the first graph and all weights have been written.

        Returns:
            The graph's inputs and outputs.
        """
        spec = save_second_graph(self._model, folder / bundle.STEPS_MODEL_FILE)
        first = ir.load(folder / bundle.MODEL_FILE)
        for name in self._own:
            first.graph.initializers.pop(name)
        ir.save(first, folder / bundle.MODEL_FILE)
        onnx.checker.check_model(folder / bundle.MODEL_FILE, full_check=False)
        return spec
