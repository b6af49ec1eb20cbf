"""Reader of fairseq checkpoints, the form of Microsoft's archives. fairseq itself is not needed."""

import re
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.export.checkpoint.assemble import Findings, assemble
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.files.torch_file import read_torch_file, torch_tensors
from biogpt_onnx.export.checkpoint.formats.fairseq_config import Settings, model_settings
from biogpt_onnx.export.checkpoint.names import EMBEDDING, FIRST_FC1, POSITION_OFFSET, POSITIONS, from_fairseq
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, canonical_tensors, printable
from biogpt_onnx.export.checkpoint.vocabulary import find_vocabulary
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError

CHECKPOINT_FILES = ("checkpoint.pt", "checkpoint_avg.pt", "checkpoint_last.pt")
"""File names that the published archives use, the preferred first."""

_VERSION = "decoder.version"  # a version number, no weight
_PUBLISHED_HEAD_SIZE = 64
_FIRST_LAYER = re.compile(r"layers\.(\d+)\.")


def open_fairseq(path: Path, *, vocabulary: Path | None = None) -> Checkpoint:
    """Opens a fairseq checkpoint.

    The tensors' shapes give all of the architecture but the number of heads, which the pickled configuration gives.
    Where that cannot be read, heads are taken to be 64 wide, as in both published models.

    Args:
        path: `.pt` file, or a folder with one of `CHECKPOINT_FILES`.
        vocabulary: folder of `dict.txt` and `bpecodes`, where it is neither the file's nor the one above.

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem, in one line.
    """
    file = path if path.is_file() else _find(path)
    folder = file.resolve().parent
    problems = Problems()
    content = problems.collect(_read_content, file)
    words = problems.collect(find_vocabulary, *([vocabulary] if vocabulary else [folder, folder.parent]))
    stored = None if content is None else problems.collect(_model_tensors, content, file.name)
    if content is None or stored is None:
        raise problems.error(path)
    settings = model_settings(content)
    _check_settings(settings, problems)
    tensors = canonical_tensors(stored, from_fairseq, problems)
    findings = Findings(
        path=path,
        architecture=problems.collect(_architecture, tensors, settings),
        declared_tied=settings.flag("share_decoder_input_output_embed"),
        vocabulary=words,
        tensors=tensors,
    )
    return assemble(findings, problems, f"fairseq:{folder.name}/{file.name}")


def _find(folder: Path) -> Path:
    for name in CHECKPOINT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"{folder}: no {', '.join(CHECKPOINT_FILES[:-1])} or {CHECKPOINT_FILES[-1]}")


def _read_content(file: Path) -> Mapping[object, object]:
    content = read_torch_file(file)
    if not isinstance(content, Mapping) or "model" not in content:
        raise CheckpointError(f"{file.name} has no entry `model`: it is not a checkpoint of fairseq")
    return content


def _model_tensors(content: Mapping[object, object], file_name: str) -> dict[str, CheckpointTensor]:
    tensors = torch_tensors(content["model"], f"`model` in {file_name}")
    tensors.pop(_VERSION, None)
    return tensors


def _check_settings(settings: Settings, problems: Problems) -> None:
    activation = settings.text("activation_fn")
    if activation not in (None, "gelu"):  # fairseq's other kinds of it, "gelu_accurate" too, are approximations
        problems.add(f"activation_fn is {printable(repr(activation))}; only 'gelu' is supported")
    if settings.flag("decoder_normalize_before") is False:
        problems.add("decoder_normalize_before is False; only pre-normalization is supported")


def _architecture(tensors: Mapping[str, CheckpointTensor], settings: Settings) -> Architecture:
    vocab_size, hidden_size = _matrix_shape(tensors, EMBEDDING)
    num_positions, _ = _matrix_shape(tensors, POSITIONS)
    intermediate_size, _ = _matrix_shape(tensors, FIRST_FC1)
    return Architecture(
        num_layers=1 + max(int(match[1]) for name in tensors if (match := _FIRST_LAYER.match(name))),
        hidden_size=hidden_size,
        num_heads=_num_heads(hidden_size, settings),
        intermediate_size=intermediate_size,
        vocab_size=vocab_size,
        max_positions=num_positions - POSITION_OFFSET,
        scale_embedding=not settings.flag("no_scale_embedding"),
    )


def _matrix_shape(tensors: Mapping[str, CheckpointTensor], name: str) -> tuple[int, int]:
    if name not in tensors:
        raise CheckpointError(f"missing {name}: it is not a BioGPT")
    shape = tensors[name].shape
    if len(shape) != 2 or min(shape) < 1:  # noqa: PLR2004 -- a matrix
        raise CheckpointError(f"{name} is {list(shape)}, which is no matrix")
    return shape[0], shape[1]


def _num_heads(hidden_size: int, settings: Settings) -> int:
    num_heads = settings.number("decoder_attention_heads")
    if num_heads is None:
        if hidden_size % _PUBLISHED_HEAD_SIZE:
            raise CheckpointError(
                f"the number of attention heads cannot be read from the configuration, nor guessed from hidden size "
                f"{hidden_size}, which is no multiple of {_PUBLISHED_HEAD_SIZE}"
            )
        return hidden_size // _PUBLISHED_HEAD_SIZE
    if hidden_size % num_heads:
        raise CheckpointError(f"hidden size {hidden_size} is no multiple of decoder_attention_heads {num_heads}")
    return num_heads
