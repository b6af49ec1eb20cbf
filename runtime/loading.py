"""Loading of a bundle: from a folder to a model that generates."""

import os
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.registry import open_backend
from biogpt_onnx.runtime.background import start_in_background
from biogpt_onnx.runtime.bundle import (
    Manifest,
    check_files,
    check_manifest,
    check_small_files,
    parse_manifest,
    read_manifest_bytes,
)
from biogpt_onnx.runtime.bundle.digest import read_expected_manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.options import Device, LoadOptions
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from biogpt_onnx.runtime.system.cores import threads_in_words
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError

if TYPE_CHECKING:
    from biogpt_onnx.runtime.engine import BioGPT


def load(  # noqa: PLR0913 -- the fields of LoadOptions
    folder: str | Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prepack: bool = True,
    share_weights: bool = False,
    cache_folder: str | Path | None = None,
    mixed_passes: bool = False,
    huge_pages: bool = True,
    warm_up: bool = True,
    expect: str | None = None,
    max_positions: int | None = None,
    check_memory: bool = True,
) -> "BioGPT":
    """Loads a bundle, as `biogpt-onnx export` or `biogpt-onnx quantize` wrote it.

    The keyword arguments are the fields of `LoadOptions`, which describes each.

    Raises:
        BundleError: the bundle is missing, incomplete or damaged, or not the expected one.
        ProviderError: ONNX Runtime or the device is not available; the message names the missing part.
        DeviceMemoryError: the weights do not fit in the GPU's memory.
        MemoryLimitError: the bundle does not fit in the memory of the container or the machine.
        ConfigError: a bad option, or a cache folder that cannot be used.
    """
    options = LoadOptions(
        device=device,
        threads=threads,
        prepack=prepack,
        share_weights=share_weights,
        cache_folder=None if cache_folder is None else _path("cache_folder", cache_folder),
        mixed_passes=mixed_passes,
        huge_pages=huge_pages,
        warm_up=warm_up,
        expect=expect,
        max_positions=max_positions,
        check_memory=check_memory,
    )
    folder = _path("folder", folder)
    manifest, content = _read(folder, options.expect)
    manifest = options.limited(manifest)
    # Before the thread starts, so that the two do not wait for each other's imports.
    import_onnxruntime()
    rest = _Rest(folder, manifest, None if options.expect else content, warm_up=options.warm_up)
    rest.start()
    try:
        backend = open_backend(folder, manifest, options)
    finally:
        tokenizer, model_class = rest.opened()
    return model_class(
        backend,
        tokenizer,
        manifest,
        name=folder.resolve().name,
        threads=threads_in_words(options.threads),
        manifest_bytes=content,
    )


def _read(folder: Path, expect: str | None) -> tuple[Manifest, bytes]:
    """Returns the manifest of a bundle whose files are there, and its bytes."""
    if expect is not None:
        return read_expected_manifest(folder, expect)
    content = read_manifest_bytes(folder)
    manifest = parse_manifest(folder, content)
    check_files(folder, manifest)
    return manifest, content


class _Rest:
    """The tokenizer and the model's class, which a thread opens meanwhile, or `opened` where no thread can be had.

    ONNX Runtime takes most of the time that loading needs, on one core, and lets Python run meanwhile. The thread also
    compares the manifest and the small files with their hashes, where that is not done yet.
    """

    def __init__(self, folder: Path, manifest: Manifest, unchecked: bytes | None, *, warm_up: bool) -> None:
        self._folder, self._manifest, self._warm_up = folder, manifest, warm_up
        self._unchecked = unchecked
        self._claim = Lock()
        self._outcome: SimpleQueue[tuple[BioGptTokenizer, type[BioGPT]] | BaseException] = SimpleQueue()

    def start(self) -> None:
        """Starts the thread."""
        with suppress(MemoryError):
            start_in_background(self._open, self._warm_up)

    def _open(self, warm_up: bool) -> None:  # noqa: FBT001 -- a thread takes no keywords
        if not self._claim.acquire(blocking=False):
            return
        try:
            if self._unchecked is not None:
                check_manifest(self._folder, self._unchecked)
                check_small_files(self._folder, self._manifest)
            tokenizer = open_tokenizer(self._folder, self._manifest)
            from biogpt_onnx.runtime.engine import BioGPT  # noqa: PLC0415 -- see the class
        except BaseException as error:  # noqa: BLE001 -- raised by `opened`, which would wait forever otherwise
            self._outcome.put(error)
            return
        self._outcome.put((tokenizer, BioGPT))
        if warm_up:
            # What fails here, as for want of memory, is tried again and raised where it is needed.
            with suppress(Exception):
                tokenizer.warm_up()

    def opened(self) -> "tuple[BioGptTokenizer, type[BioGPT]]":
        """Waits for the tokenizer and returns it with the model's class, or raises the error of opening it."""
        self._open(False)  # noqa: FBT003 -- as above; does nothing if the thread has begun
        outcome = self._outcome.get()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


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
    # An empty path would be the current folder.
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError(f"{name} is {given!r}: give the path of a folder")
    return Path(path)
