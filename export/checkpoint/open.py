"""Opening of a checkpoint in whatever form a user names it."""

import re
from pathlib import Path

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.fairseq import CHECKPOINT_FILES, open_fairseq
from biogpt_onnx.export.checkpoint.formats.hub import open_hub
from biogpt_onnx.export.checkpoint.formats.huggingface import WEIGHT_FILES, open_huggingface
from biogpt_onnx.export.checkpoint.preset import PREFIX, open_preset
from biogpt_onnx.runtime.errors import CheckpointError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_ARCHIVE_SUFFIXES = (".tgz", ".tar.gz", ".tar", ".zip")


def open_checkpoint(
    source: str | Path, *, revision: str | None = None, vocabulary: Path | None = None, seed: int = 0
) -> Checkpoint:
    """Opens a checkpoint and checks it; its weights stay in their files until they are read.

    Args:
        source: folder in Hugging Face or fairseq form, fairseq `.pt` file, "preset:biogpt", "preset:biogpt-large", or,
            where there is no folder of that name, a hub id such as "microsoft/biogpt".
        revision: for a hub id, a branch, tag or commit.
        vocabulary: folder with the vocabulary, where it is not with the weights.
        seed: seed of a preset's random weights.

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem and its remedy, in one line.
    """
    name = str(source)
    if name.startswith(PREFIX):
        return open_preset(name.removeprefix(PREFIX), vocabulary=vocabulary, seed=seed)
    path = Path(source)
    if path.is_dir():
        return _open_folder(path, vocabulary)
    if path.exists():
        return _open_file(path, vocabulary)
    if _HUB_ID.fullmatch(name):
        return open_hub(name, revision=revision, vocabulary=vocabulary)
    raise CheckpointError(f"{name}: no such folder, and neither a hub id (organisation/name) nor a preset")


def _open_folder(folder: Path, vocabulary: Path | None) -> Checkpoint:
    has_huggingface_weights = _has_any(folder, WEIGHT_FILES)
    if _has_any(folder, CHECKPOINT_FILES) and not has_huggingface_weights:
        return open_fairseq(folder, vocabulary=vocabulary)
    if has_huggingface_weights or (folder / "config.json").exists():
        return open_huggingface(folder, vocabulary=vocabulary)
    raise CheckpointError(f"{folder}: {_what_to_name_instead(folder)}")


def _open_file(path: Path, vocabulary: Path | None) -> Checkpoint:
    if path.suffix == ".pt":
        return open_fairseq(path, vocabulary=vocabulary)
    if path.name.endswith(_ARCHIVE_SUFFIXES):
        raise CheckpointError(f"{path}: unpack it first (tar xf), then name the folder that holds the .pt file")
    raise CheckpointError(f"{path}: name the folder that holds it")


def _has_any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).exists() for name in names)


def _what_to_name_instead(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "the folder is empty"
    archive = next((name for name in names if name.endswith(_ARCHIVE_SUFFIXES)), None)
    if archive:
        return f"unpack {archive} first (tar xf), then name the folder that holds the .pt file"
    inner = next((name for name in names if _has_any(folder / name, ("config.json", *CHECKPOINT_FILES))), None)
    if inner:
        return f"no checkpoint here, but in {inner}: name that folder"
    other = next((name for name in names if name.endswith((".pt", ".pth"))), None)
    if other:
        return f"no config.json, and no {' or '.join(CHECKPOINT_FILES)}: name the file itself ({other})"
    return "neither config.json (Hugging Face) nor checkpoint.pt (fairseq) is in it"
