"""BioGPT registered with optimum's ONNX exporter, for the layout that optimum's `ORTModelForCausalLM` loads.

It is the portable layout: a traced graph of standard operators with the cache as ordinary inputs and outputs, slower
than a bundle, but for whatever else reads such folders.
"""

import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.export.reference import model_of
from biogpt_onnx.runtime.bundle.writer import atomic_folder
from biogpt_onnx.runtime.errors import CheckpointError

TASK = "text-generation-with-past"


def register() -> None:
    """Teaches optimum's exporter the model type "biogpt", which it does not know; asking twice does no harm.

    After it, `optimum.exporters.onnx.main_export` takes BioGPT checkpoints like any other.
    """
    tasks = importlib.import_module("optimum.exporters.tasks").TasksManager
    configs = importlib.import_module("optimum.exporters.onnx.config")
    normalized = importlib.import_module("optimum.utils").NormalizedTextConfig

    class BioGptOnnxConfig(configs.TextDecoderWithPositionIdsOnnxConfig):  # type: ignore[misc, name-defined] # untyped
        """BioGPT as optimum sees it: a GPT-2 that takes positions."""

        NORMALIZED_CONFIG_CLASS = normalized

    tasks.create_register("onnx", overwrite_existing=True)("biogpt", "text-generation", TASK)(BioGptOnnxConfig)


def export_optimum(checkpoint: Checkpoint, target: Path, *, overwrite: bool = False) -> None:
    """Writes `model.onnx`, `config.json` and the vocabulary into a folder that appears when all is written.

    Unlike a bundle's export it traces the model in torch and needs memory for a few copies of it.

    Raises:
        CheckpointError: optimum or transformers is not installed.
        BundleError: the target stands in the way or cannot be written.
    """
    exporter, transformers = _import_exporter()
    register()
    with atomic_folder(target, overwrite=overwrite) as folder:
        model = model_of(transformers, checkpoint)
        model.generation_config.pad_token_id = model.config.pad_token_id
        _quietly(exporter.onnx_export_from_model, model=model, output=folder, task=TASK, do_validation=False)
        write_huggingface_files(checkpoint, folder)


def _import_exporter() -> tuple[Any, Any]:
    try:
        return importlib.import_module("optimum.exporters.onnx"), importlib.import_module("transformers")
    except ImportError as error:
        raise CheckpointError(
            f"the optimum layout needs optimum-onnx, which cannot be imported ({error}): "
            'pip install "biogpt-onnx[export,optimum]" in an environment of its own'
        ) from error


def _quietly(function: Any, **arguments: Any) -> None:  # noqa: ANN401 -- optimum has no types
    # The tracer warns of every branch it follows; what it made is tested, not read about.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**arguments)
    finally:
        logging.disable(previous)
