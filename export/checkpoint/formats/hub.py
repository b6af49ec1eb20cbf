"""Checkpoints by hub id, fetched into the hub client's own cache."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.huggingface import open_huggingface
from biogpt_onnx.runtime.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFETENSORS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
_BIN = ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json")
_OTHERS = ("config.json", "vocab.json", "merges.txt")


def open_hub(repository: str, *, revision: str | None = None, vocabulary: Path | None = None) -> Checkpoint:
    """Fetches what is needed of a repository, where the cache lacks it, and opens it.

    The hub client honours its own settings, such as HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME and HF_TOKEN.

    Args:
        repository: "organisation/name".
        revision: a branch, tag or commit; the default branch without it.
        vocabulary: a folder with another vocabulary.

    Raises:
        CheckpointError: it cannot be fetched, or is no complete BioGPT.
    """
    folder = _fetch(repository, revision, (*_OTHERS, *_SAFETENSORS))
    if not any(folder.glob("model*.safetensors*")):
        # The same commit, so that the two never mix.
        folder = _fetch(repository, folder.name, (*_OTHERS, *_BIN))
    return open_huggingface(folder, vocabulary=vocabulary, source=f"hub:{repository}@{folder.name}")


def _fetch(repository: str, revision: str | None, patterns: "Sequence[str]") -> Path:
    try:
        from huggingface_hub import constants, snapshot_download  # noqa: PLC0415 -- an extra, and slow to import
        from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415 -- likewise
    except ImportError as error:
        raise CheckpointError(
            f'{repository}: a hub id takes huggingface-hub: pip install "biogpt-onnx[export]"'
        ) from error
    # The client reads its environment on import, which may have been long ago.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the client passes on whatever its HTTP library raises
        raise CheckpointError(f"{repository}: {_explain(error, repository, revision)}") from error


def _explain(error: Exception, repository: str, revision: str | None) -> str:
    from huggingface_hub import errors  # noqa: PLC0415 -- imported already

    no_folder = f"there is no folder {repository}"
    if isinstance(error, errors.GatedRepoError):
        return "the repository is gated: ask for access on its page, then log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{no_folder}, and the hub has no such repository, or a private one (log in with `hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no revision {revision!r}"
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return f"{no_folder}, the cache lacks the repository, and the hub cannot be reached (or HF_HUB_OFFLINE is set)"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{no_folder}, and fetching it from the hub failed: {lines[0]}"
