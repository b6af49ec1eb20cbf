"""Loading of a bundle: from a folder to a model that generates."""

import os
import threading
from pathlib import Path

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.options import Device, LoadOptions
from biogpt_onnx.runtime.ort.cores import threads_in_words
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError


def load(  # noqa: PLR0913 -- the fields of LoadOptions
    folder: str | Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prepack: bool = True,
    share_weights: bool = False,
    cache_folder: str | Path | None = None,
    mixed_passes: bool = False,
    warm_up: bool = True,
) -> BioGPT:
    """Loads a bundle, as `biogpt-onnx export` or `biogpt-onnx quantize` wrote it.

    The keyword arguments are the fields of `LoadOptions`, which describes each.

    Raises:
        BundleError: the bundle is missing, incomplete or damaged.
        ProviderError: ONNX Runtime or the device is not available; the message names the missing part.
        DeviceMemoryError: the weights do not fit in the GPU's memory.
        ConfigError: a bad option, or a cache folder that cannot be used.
    """
    options = LoadOptions(
        device=device,
        threads=threads,
        prepack=prepack,
        share_weights=share_weights,
        cache_folder=None if cache_folder is None else _path("cache_folder", cache_folder),
        mixed_passes=mixed_passes,
        warm_up=warm_up,
    )
    folder = _path("folder", folder)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    tokenizer = open_tokenizer(folder, manifest)
    if options.warm_up:
        threading.Thread(target=tokenizer.warm_up, daemon=True).start()
    return BioGPT(
        open_backend(folder, manifest, options),
        tokenizer,
        manifest,
        name=folder.resolve().name,
        threads=threads_in_words(options.threads),
    )


def open_tokenizer(folder: Path, manifest: Manifest) -> BioGptTokenizer:
    """Opens the tokenizer of a bundle.

    Raises:
        BundleError: the vocabulary is damaged, or of another size than the model's.
    """
    try:
        tokenizer = BioGptTokenizer.from_files(
            folder / bundle.VOCAB_FILE,
            folder / bundle.MERGES_FILE,
            soft_prompt_size=manifest.architecture.soft_prompt_size,
            config=folder / bundle.TOKENIZER_CONFIG_FILE if bundle.TOKENIZER_CONFIG_FILE in manifest.files else None,
        )
    except VocabularyError as error:
        raise BundleError(f"{folder}: {error}: export the bundle again") from error
    if tokenizer.vocab_size != manifest.architecture.vocab_size:
        raise BundleError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} entries, the model "
            f"{manifest.architecture.vocab_size:,}: export the bundle again"
        )
    return tokenizer


def _path(name: str, given: object) -> Path:
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(path, str) or "\0" in path:
        raise ConfigError(f"{name} is {given!r}: give the path of a folder")
    return Path(path)
