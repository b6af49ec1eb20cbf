"""Reader of fairseq checkpoints, the form of Microsoft's archives. fairseq itself is not needed."""

import re
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.export.checkpoint.assemble import Findings, assemble
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.files.inert_pickle import PICKLED_MODULE, Inert
from biogpt_onnx.export.checkpoint.files.torch_file import read_torch_file, torch_tensors
from biogpt_onnx.export.checkpoint.formats.fairseq_config import Settings, model_settings
from biogpt_onnx.export.checkpoint.formats.options import OpenOptions
from biogpt_onnx.export.checkpoint.names import EMBEDDING, FIRST_FC1, POSITION_OFFSET, POSITIONS, from_fairseq
from biogpt_onnx.export.checkpoint.stored_names import own_names, with_tied_table
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, canonical_tensors, printable
from biogpt_onnx.export.checkpoint.vocabulary import find_vocabulary
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError

CHECKPOINT_FILES = ("checkpoint.pt", "checkpoint_avg.pt", "checkpoint_best.pt", "checkpoint_last.pt")
"""File names that fairseq and the published archives use, the preferred first."""

_VERSION = "decoder.version"  # a version number, no weight
# Numbers of heads of BioGPT and BioGPT-Large by hidden size, for files that do not say it.
_PUBLISHED_HEADS = {1024: 16, 1600: 25}
_FIRST_LAYER = re.compile(r"layers\.(\d+)\.")


def open_fairseq(path: Path, options: OpenOptions | None = None) -> Checkpoint:
    """Opens a fairseq checkpoint.

    The tensors' shapes give all of the architecture but the number of heads and the scaling of embeddings, which the
    pickled configuration gives. A file without one must be of a published size, or the number of heads be given.

    Args:
        path: `.pt` file, or a folder with one of `CHECKPOINT_FILES`.
        options: what the user says of it. Without a vocabulary there, `dict.txt` and `bpecodes` must lie beside the
            file or in the folder above.

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem, in one line.
    """
    problems, options = Problems(), options or OpenOptions()
    adapter = options.read_adapter(problems)
    file = path if path.is_file() else _find(path, problems)
    folder = file.resolve().parent
    content = problems.collect(_read_content, file)
    words = problems.collect(find_vocabulary, *options.vocabulary_folders(folder, folder.parent), problems=problems)
    stored = None if content is None else problems.collect(_model_tensors, content, file.name, problems)
    if content is None or stored is None:
        raise problems.error(path)
    settings = model_settings(content)
    _check_settings(settings, problems)
    declared_tied = problems.collect(settings.flag, "share_decoder_input_output_embed")
    tensors = with_tied_table(canonical_tensors(stored, from_fairseq, problems), problems, declared_tied=declared_tied)
    findings = Findings(
        path=path,
        architecture=problems.collect(_architecture, tensors, settings, options, problems),
        declared_tied=declared_tied,
        vocabulary=words,
        tensors=tensors,
        adapter=adapter,
    )
    return assemble(findings, problems, f"fairseq:{folder.name}/{file.name}")


def _find(folder: Path, problems: Problems) -> Path:
    found = [name for name in CHECKPOINT_FILES if (folder / name).is_file()]
    if found:
        others = " and ".join(found[1:])
        problems.note(*([f"{found[0]} is read, not {others}: name the file itself to choose"] if others else []))
        return folder / found[0]
    raise CheckpointError(f"{folder}: no {', '.join(CHECKPOINT_FILES[:-1])} or {CHECKPOINT_FILES[-1]}")


def _read_content(file: Path) -> Mapping[object, object]:
    content = read_torch_file(file)
    if not isinstance(content, Mapping) or "model" not in content:
        raise CheckpointError(f"{file.name} has no entry `model`: it is not a checkpoint of fairseq")
    return content


def _model_tensors(content: Mapping[object, object], file_name: str, problems: Problems) -> dict[str, CheckpointTensor]:
    if isinstance(content["model"], Inert):
        raise CheckpointError(f"`model` in {file_name} {PICKLED_MODULE}")
    tensors = own_names(torch_tensors(content["model"], f"`model` in {file_name}"), from_fairseq, problems)
    tensors.pop(_VERSION, None)
    return tensors


def _check_settings(settings: Settings, problems: Problems) -> None:
    activation = problems.collect(settings.text, "activation_fn")
    if activation not in (None, "gelu"):  # fairseq's other kinds of it, "gelu_accurate" too, are approximations
        problems.add(f"activation_fn is {printable(repr(activation))}; only 'gelu' is supported")
    if problems.collect(settings.flag, "decoder_normalize_before") is False:
        problems.add("decoder_normalize_before is False; only pre-normalization is supported")


def _architecture(
    tensors: Mapping[str, CheckpointTensor], settings: Settings, said: OpenOptions, problems: Problems
) -> Architecture:
    vocab_size, hidden_size = _matrix_shape(tensors, EMBEDDING)
    num_positions, _ = _matrix_shape(tensors, POSITIONS)
    intermediate_size, _ = _matrix_shape(tensors, FIRST_FC1)
    return Architecture(
        num_layers=1 + max(int(match[1]) for name in tensors if (match := _FIRST_LAYER.match(name))),
        hidden_size=hidden_size,
        num_heads=_num_heads(hidden_size, settings, said, problems),
        intermediate_size=intermediate_size,
        vocab_size=vocab_size,
        max_positions=num_positions - POSITION_OFFSET,
        scale_embedding=_scale_embedding(settings, said, problems),
    )


def _matrix_shape(tensors: Mapping[str, CheckpointTensor], name: str) -> tuple[int, int]:
    if name not in tensors:
        raise CheckpointError(f"missing {name}: it is not a BioGPT")
    shape = tensors[name].shape
    if len(shape) != 2 or min(shape) < 1:  # noqa: PLR2004 -- a matrix
        raise CheckpointError(f"{name} is {list(shape)}, which is no matrix")
    return shape[0], shape[1]


def _num_heads(hidden_size: int, settings: Settings, said: OpenOptions, problems: Problems) -> int:
    num_heads = settings.number("decoder_attention_heads")
    if num_heads is None:
        num_heads = said.num_heads or _PUBLISHED_HEADS.get(hidden_size)
        if num_heads is None:
            raise CheckpointError(
                "the number of attention heads is not in the file, and the weights do not tell it: say it with "
                "--num-heads"
            )
        if said.num_heads is None:
            problems.note(
                f"the number of attention heads is not in the file: it is taken to be {num_heads}, as in the published "
                "model of that size (--num-heads says another)"
            )
    elif said.num_heads not in (None, num_heads):
        raise CheckpointError(f"the file says {num_heads} attention heads, --num-heads {said.num_heads}: leave it out")
    if hidden_size % num_heads:
        raise CheckpointError(f"hidden size {hidden_size} is no multiple of {num_heads} attention heads")
    return num_heads


def _scale_embedding(settings: Settings, said: OpenOptions, problems: Problems) -> bool:
    without = settings.flag("no_scale_embedding")
    if without is not None:
        if said.scale_embedding not in (None, not without):
            raise CheckpointError(
                f"the file says no_scale_embedding {without}, --no-scale-embedding something else: leave it out"
            )
        return not without
    if said.scale_embedding is None and not settings:
        problems.note(
            "the file has no settings: embeddings are taken to be scaled, as in the published models "
            "(--no-scale-embedding says otherwise)"
        )
    return said.scale_embedding is not False
