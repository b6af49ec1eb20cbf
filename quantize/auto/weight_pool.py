"""Pool of packed weights that the recipes which a search tries share: each is packed once in each way."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from biogpt_onnx.export.graph.causal_lm import build_causal_lm
from biogpt_onnx.quantize.calibration.calibrate import Calibration
from biogpt_onnx.quantize.layer_choices import layer_choices
from biogpt_onnx.quantize.manifests import with_graph
from biogpt_onnx.quantize.packing.packed_weights import PackedWeights
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MODEL_FILE, Manifest
from biogpt_onnx.runtime.options import LoadOptions

if TYPE_CHECKING:
    from biogpt_onnx.quantize.packing.layer_packing import LayerPacking

_POOL_FILE = "pool.data"

# Memory is mapped by the page: weights that begin on a page can be used where they lie in the file.
_PAGE_BYTES = 4096


class WeightPool:
    """File of packed weights, to which each recipe adds those that no recipe before it needed.

    Args:
        folder: empty folder for the file and the graphs.
        manifest: manifest of the float32 bundle.
        calibration: its smoothed weights, and scales of its products' inputs.
        options: options with which sessions are opened; by default `LoadOptions()`.

    Attributes:
        manifest: manifest of the float32 bundle.
        options: options with which sessions are opened.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, calibration: Calibration, options: LoadOptions | None = None
    ) -> None:
        self._folder, self.manifest, self._calibration = folder, manifest, calibration
        self.options = options or LoadOptions()
        self._tensors: dict[tuple[str, LayerPacking], ir.ExternalTensor] = {}

    def model(self, recipe: Recipe) -> ir.Model:
        """Builds the graph of a recipe, with weights that lie in the pool."""
        packed = PackedWeights()
        architecture = self.manifest.architecture
        model = build_causal_lm(architecture, layer_choices(architecture, recipe, packed, self._calibration.static))
        parameters = [value for value in model.graph.initializers.values() if value.const_value is None]
        packed.attach(model, self._calibration.read)
        for parameter in parameters:
            name, values = str(parameter.name), parameter.const_value
            key = (name, recipe.packing(name.partition(".weight")[0]))
            if key not in self._tensors and values is not None:
                self._tensors[key] = self._written(name, values)
            parameter.const_value = self._tensors[key]
        return model

    def open(self, recipe: Recipe, *, prepack: bool) -> DecoderSession:
        """Opens a session of a recipe's graph.

        Args:
            recipe: recipe that packs weights.
            prepack: True computes as a bundle of that recipe does. False maps all weights from the file and opens at
                once; ONNX Runtime then unpacks blocks and multiplies them in float32.
        """
        model = self.model(recipe)
        graph: bytes = ir.serde.serialize_model(model).SerializeToString()
        (self._folder / MODEL_FILE).write_bytes(graph)
        manifest = dataclasses.replace(with_graph(self.manifest, model), precision=recipe.precision)
        return DecoderSession(self._folder, manifest, self.options, as_stored=not prepack)

    def _written(self, name: str, values: ir.TensorProtocol) -> ir.ExternalTensor:
        array = np.ascontiguousarray(values.numpy())
        path = self._folder / _POOL_FILE
        with path.open("ab") as file:
            file.write(bytes(-file.tell() % _PAGE_BYTES))
            offset = file.tell()
            file.write(array.data)
        return ir.ExternalTensor(
            location=_POOL_FILE,
            offset=offset,
            length=array.nbytes,
            dtype=values.dtype,
            shape=ir.Shape(array.shape),
            name=name,
            base_dir=self._folder,
        )
