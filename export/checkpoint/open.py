"""Opening of a checkpoint in whatever form a user names it."""

import re
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.export.checkpoint.adapters.adapter import is_adapter
from biogpt_onnx.export.checkpoint.adapters.settings import read_adapter_settings
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.files.source_file import recording_files
from biogpt_onnx.export.checkpoint.formats.fairseq import CHECKPOINT_FILES, open_fairseq
from biogpt_onnx.export.checkpoint.formats.hub import open_hub
from biogpt_onnx.export.checkpoint.formats.huggingface import open_huggingface
from biogpt_onnx.export.checkpoint.formats.options import OpenOptions
from biogpt_onnx.export.checkpoint.formats.weight_files import WEIGHT_FILES, WEIGHT_SUFFIXES, has_standard_weights
from biogpt_onnx.export.checkpoint.preset import PREFIX, open_preset
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.runtime.errors import CheckpointError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_ARCHIVE_SUFFIXES = (".tgz", ".tar.gz", ".tar", ".zip")


def open_checkpoint(  # noqa: PLR0913 -- what users say of checkpoints in several forms
    source: str | Path,
    *,
    revision: str | None = None,
    vocabulary: Path | None = None,
    seed: int = 0,
    adapter: Path | None = None,
    no_adapter: bool = False,
    num_heads: int | None = None,
    scale_embedding: bool | None = None,
    ignore_generation_config: bool = False,
) -> Checkpoint:
    """Opens a checkpoint and checks it; its weights stay in their files until they are read.

    Args:
        source: folder in Hugging Face or fairseq form, weights file in such a folder, folder of an adapter whose base
            is there, "preset:biogpt", "preset:biogpt-large", or, where there is no folder of that name, a hub id such
            as "microsoft/biogpt".
        revision: for a hub id, a branch, tag or commit.
        vocabulary: folder with the vocabulary, where it is not with the weights.
        seed: seed of a preset's random weights.
        adapter: folder of an adapter of PEFT to merge.
        no_adapter: True to leave an adapter out that lies beside the weights.
        num_heads: number of attention heads, for a fairseq file that does not say it.
        scale_embedding: False for a fairseq file that does not say that embeddings are not scaled.
        ignore_generation_config: True to leave the decoding that the authors chose out; end tokens are kept.

    Raises:
        CheckpointError: the checkpoint cannot be used; names every problem and its remedy, in one line.
    """
    if adapter is not None and no_adapter:
        raise CheckpointError(f"an adapter is given ({adapter}) and refused: say one of the two")
    options = OpenOptions(vocabulary, adapter, num_heads, scale_embedding, ignore_generation_config)
    with recording_files() as files:
        checkpoint = _open(source, options, revision=revision, seed=seed, no_adapter=no_adapter)
    return replace(checkpoint, files=tuple(files))


def _open(source: str | Path, options: OpenOptions, *, revision: str | None, seed: int, no_adapter: bool) -> Checkpoint:
    name, path = str(source), Path(source)
    if name.startswith(PREFIX):
        _refuse(options, name, "a preset")
        return open_preset(name.removeprefix(PREFIX), vocabulary=options.vocabulary, seed=seed)
    if path.is_dir():
        return _open_folder(path, options, no_adapter=no_adapter)
    if path.exists():
        return _open_file(path, options)
    if _HUB_ID.fullmatch(name):
        return open_hub(name, revision=revision, options=options, no_adapter=no_adapter)
    raise CheckpointError(f"{name}: no such folder, and neither a hub id (organisation/name) nor a preset")


def _open_folder(folder: Path, options: OpenOptions, *, no_adapter: bool) -> Checkpoint:
    has_weights = has_standard_weights(folder)
    is_fairseq = _has_any(folder, CHECKPOINT_FILES) and not has_weights
    if is_adapter(folder) and options.adapter is None and not no_adapter:
        if is_fairseq or (folder / "config.json").exists():
            raise CheckpointError(
                f"{folder}: an adapter lies beside the weights, which may hold it already: say --adapter {folder} to "
                "merge it, or --no-adapter to leave it out"
            )
        return _open_base(folder, options)
    if is_fairseq:
        return open_fairseq(folder, options)
    if has_weights or (folder / "config.json").exists():
        return open_huggingface(folder, options)
    raise CheckpointError(f"{folder}: {_what_to_name_instead(folder)}")


def _open_base(folder: Path, options: OpenOptions) -> Checkpoint:
    """Opens the base of an adapter, which must be a folder that is there, with the adapter."""
    named = read_adapter_settings(folder, Problems()).base
    candidates = [] if named is None else [folder / named, Path(named)]
    forms = ("config.json", *CHECKPOINT_FILES)
    base = next((path for path in candidates if path.is_dir() and _has_any(path, forms)), None)
    if base is None:
        said = "its config names no base" if named is None else f"its base {named!a} is no folder here"
        example = named if named is not None and _HUB_ID.fullmatch(named) else "BASE"
        raise CheckpointError(f"{folder}: this is an adapter, and {said}: export {example} --adapter {folder}")
    options = options.with_adapter(folder, f"the base is {named}, which the adapter's config names")
    return _open_folder(base, options, no_adapter=False)


def _open_file(path: Path, options: OpenOptions) -> Checkpoint:
    in_huggingface_folder = (path.parent / "config.json").exists()
    if path.suffix == ".pt" and (not in_huggingface_folder or path.name in CHECKPOINT_FILES):
        return open_fairseq(path, options)
    if path.name.endswith(_ARCHIVE_SUFFIXES):
        raise CheckpointError(f"{path}: unpack it first (tar xf), then name the folder that holds the .pt file")
    if in_huggingface_folder and path.name.endswith(WEIGHT_SUFFIXES) and path.name not in WEIGHT_FILES:
        return open_huggingface(path.parent, options, weights=path)
    raise CheckpointError(f"{path}: name the folder that holds it")


def _refuse(options: OpenOptions, name: str, form: str) -> None:
    if options.adapter is not None or options.num_heads is not None or options.scale_embedding is not None:
        raise CheckpointError(f"{name}: {form} takes no adapter, number of heads or scaling: leave them out")


def _has_any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).exists() for name in names)


def _what_to_name_instead(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "the folder is empty"
    archive = next((name for name in names if name.endswith(_ARCHIVE_SUFFIXES)), None)
    if archive:
        return f"unpack {archive} first (tar xf), then name the folder that holds the .pt file"
    forms = ("config.json", "adapter_config.json", *CHECKPOINT_FILES)
    inner = next((name for name in names if _has_any(folder / name, forms)), None)
    if inner:
        return f"no checkpoint here, but in {inner}: name that folder"
    other = next((name for name in names if name.endswith((".pt", ".pth", ".ckpt"))), None)
    if other:
        return f"no config.json, and no {' or '.join(CHECKPOINT_FILES)}: name the file itself ({other})"
    return "neither config.json (Hugging Face) nor checkpoint.pt (fairseq) is in it"
