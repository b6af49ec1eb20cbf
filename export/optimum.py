"""Export through optimum, in the layout that optimum's `ORTModelForCausalLM` loads.

The graph is traced, of standard operators, with the cache as ordinary inputs and outputs: slower than a bundle, but
portable to other programs that read such folders.
"""

import importlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.finite import FiniteWeights
from biogpt_onnx.export.huggingface_files import one_or_several, write_huggingface_files
from biogpt_onnx.export.reference import model_of
from biogpt_onnx.runtime.bundle.writer import atomic_folder
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import PAD_ID

TASK = "text-generation-with-past"


def register() -> None:
    """Registers the model type "biogpt" with optimum's exporter, which does not know it; repeated calls do no harm.

    Afterwards `optimum.exporters.onnx.main_export` takes BioGPT checkpoints like any other.
    """
    tasks = importlib.import_module("optimum.exporters.tasks").TasksManager
    configs = importlib.import_module("optimum.exporters.onnx.config")
    normalized = importlib.import_module("optimum.utils").NormalizedTextConfig

    class BioGptOnnxConfig(configs.TextDecoderWithPositionIdsOnnxConfig):  # type: ignore[misc, name-defined] # untyped
        """Export configuration of BioGPT: that of a GPT-2 with position ids as input."""

        NORMALIZED_CONFIG_CLASS = normalized

    tasks.create_register("onnx", overwrite_existing=True)("biogpt", "text-generation", TASK)(BioGptOnnxConfig)


def export_optimum(checkpoint: Checkpoint, target: Path, *, overwrite: bool = False) -> None:
    """Writes `model.onnx`, `config.json` and the vocabulary.

    Unlike a bundle's export it traces the model in torch and needs memory for a few copies of it.

    Args:
        checkpoint: checkpoint that `open_checkpoint` opened.
        target: folder to make; it appears when everything is written.
        overwrite: whether what lies at `target` is replaced.

    Raises:
        CheckpointError: optimum or transformers is not installed, a weight holds NaN or infinity, or the checkpoint has
            a classification head.
        BundleError: something else lies at `target`, or it cannot be written.
    """
    if checkpoint.head is not None:
        raise CheckpointError(
            f"the checkpoint has a {checkpoint.head.kind} head, the optimum layout is for language models: leave out "
            "the layout"
        )
    exporter, transformers = _import_exporter()
    register()
    with atomic_folder(target, overwrite=overwrite) as folder:
        model = model_of(transformers, checkpoint)
        FiniteWeights(checkpoint).read_all()
        model.generation_config.pad_token_id = model.config.pad_token_id
        _quietly(exporter.onnx_export_from_model, model=model, output=folder, task=TASK, do_validation=False)
        write_huggingface_files(checkpoint, folder)
        settings = {"pad_token_id": PAD_ID, "eos_token_id": one_or_several(checkpoint.generation.end_token_ids)}
        generation = json.dumps(settings | dict(checkpoint.generation.settings), indent=2)
        (folder / "generation_config.json").write_text(generation + "\n", encoding="utf-8", newline="\n")


def _import_exporter() -> tuple[Any, Any]:
    try:
        return importlib.import_module("optimum.exporters.onnx"), importlib.import_module("transformers")
    except ImportError as error:
        raise CheckpointError(
            f"the optimum layout needs optimum-onnx, which cannot be imported ({error}): "
            'pip install "biogpt-onnx[export,optimum]" in an environment of its own'
        ) from error


def _quietly(function: Any, **arguments: Any) -> None:  # noqa: ANN401 -- optimum has no types
    # The tracer warns of every branch it follows, which tests of the result make needless.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**arguments)
    finally:
        logging.disable(previous)
