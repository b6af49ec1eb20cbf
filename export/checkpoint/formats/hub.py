"""Reader of checkpoints on the hub, fetched into the hub client's cache."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from biogpt_onnx.export.checkpoint.adapters.adapter import is_adapter
from biogpt_onnx.export.checkpoint.adapters.settings import read_adapter_settings
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.huggingface import open_huggingface
from biogpt_onnx.export.checkpoint.formats.options import OpenOptions
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.runtime.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFETENSORS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
_BIN = ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json")
_OTHERS = (
    *("config.json", "generation_config.json", "vocab.json", "merges.txt", "tokenizer_config.json"),
    *("added_tokens.json", "special_tokens_map.json", "adapter_config.json", "adapter_model.*"),
)


def open_hub(
    repository: str, *, revision: str | None = None, options: OpenOptions | None = None, no_adapter: bool = False
) -> Checkpoint:
    """Fetches the files of a repository that the cache lacks, and opens the checkpoint.

    The hub client honours its settings, such as HF_ENDPOINT, HF_HUB_OFFLINE, HF_HOME and HF_TOKEN.

    Args:
        repository: hub id, "organisation/name".
        revision: branch, tag or commit; by default the default branch.
        options: what the user says of the checkpoint.
        no_adapter: True to leave an adapter out that lies beside the weights.

    Raises:
        CheckpointError: the repository cannot be fetched, or is no complete BioGPT.
    """
    folder = _fetch(repository, revision, (*_OTHERS, *_SAFETENSORS))
    if not any(folder.glob("model*.safetensors*")):
        # Of the commit that was fetched, so that no files of two commits mix.
        folder = _fetch(repository, folder.name, (*_OTHERS, *_BIN))
    options = options or OpenOptions()
    if is_adapter(folder) and options.adapter is None and not no_adapter:
        if not (folder / "config.json").exists():
            base = read_adapter_settings(folder, Problems()).base or "BASE"
            raise CheckpointError(f"{repository}: this is an adapter: export {base} --adapter {folder}")
        raise CheckpointError(
            f"{repository}: an adapter lies beside the weights, which may hold it already: say --adapter {folder} to "
            "merge it, or --no-adapter to leave it out"
        )
    return open_huggingface(folder, options, source=f"hub:{repository}@{folder.name}")


def _fetch(repository: str, revision: str | None, patterns: "Sequence[str]") -> Path:
    try:
        from huggingface_hub import constants, snapshot_download  # noqa: PLC0415 -- an extra, and slow to import
        from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError as error:
        raise CheckpointError(
            f'{repository}: a hub id takes huggingface-hub: pip install "biogpt-onnx[export]"'
        ) from error
    # Set here, because the client reads its environment on import, which may have been long ago.
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
