"""Reader of Hugging Face checkpoints: folders with `config.json`, the vocabulary and the weights."""

from pathlib import Path

from biogpt_onnx.export.checkpoint.assemble import Findings, assemble
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.contents import note_files
from biogpt_onnx.export.checkpoint.files.source_file import read_json_object
from biogpt_onnx.export.checkpoint.formats.huggingface_config import check_model, read_architecture
from biogpt_onnx.export.checkpoint.formats.huggingface_head import read_head
from biogpt_onnx.export.checkpoint.formats.options import OpenOptions
from biogpt_onnx.export.checkpoint.formats.weight_files import find_weights, read_weights
from biogpt_onnx.export.checkpoint.generation_settings import GenerationSettings, read_generation_settings
from biogpt_onnx.export.checkpoint.names import from_huggingface
from biogpt_onnx.export.checkpoint.stored_names import own_names, with_tied_table
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, canonical_tensors
from biogpt_onnx.export.checkpoint.vocabulary import find_vocabulary


def open_huggingface(
    folder: Path, options: OpenOptions | None = None, *, weights: Path | None = None, source: str | None = None
) -> Checkpoint:
    """Opens a folder that transformers could load.

    Args:
        folder: folder with `config.json` and the weights.
        options: what the user says of it.
        weights: file of the weights, where it has no standard name.
        source: origin that the checkpoint records; by default "huggingface:NAME".

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem, in one line.
    """
    problems, options = Problems(), options or OpenOptions()
    if options.num_heads is not None or options.scale_embedding is not None:
        problems.add("config.json says heads and scaling: leave --num-heads and --no-scale-embedding out")
    adapter = options.read_adapter(problems)
    config = problems.collect(read_json_object, folder / "config.json")
    if config is not None:
        check_model(folder, config)  # alone: further problems of another model's folder would only confuse
    architecture = None if config is None else problems.collect(read_architecture, config, problems)
    generation = GenerationSettings()
    if config is not None:
        generation = read_generation_settings(folder, config, problems, ignore=options.ignore_generation_config)
    words = problems.collect(find_vocabulary, *options.vocabulary_folders(folder), problems=problems)
    declared_tied = None if architecture is None else architecture.tied_head
    file = weights or problems.collect(find_weights, folder, problems)
    tensors = None if file is None else problems.collect(_read_tensors, file, problems)
    note_files((entry.name for entry in folder.iterdir()), problems, frozenset({file.name} if file else ()))
    findings = Findings(
        path=folder,
        architecture=architecture,
        declared_tied=declared_tied,
        vocabulary=words,
        tensors=None if tensors is None else with_tied_table(tensors, problems, declared_tied=declared_tied),
        generation=generation,
        adapter=adapter,
        head=None if config is None or tensors is None else read_head(config, tensors, problems),
    )
    return assemble(findings, problems, source or f"huggingface:{folder.resolve().name}")


def _read_tensors(file: Path, problems: Problems) -> dict[str, CheckpointTensor]:
    stored = own_names(read_weights(file, problems), from_huggingface, problems)
    return canonical_tensors(stored, from_huggingface, problems)
