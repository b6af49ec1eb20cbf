"""Prepacked weights: rearranged by ONNX Runtime and kept in files, so that processes map one copy of them.

ONNX Runtime rearranges ("prepacks") weights for the processor while it loads a model, into memory of the process. It
can also write the model with its rearranged weights; these are mapped when it is loaded from there, and the system
keeps one copy for all processes. Such a model is valid for one kind of processor and one version of ONNX Runtime, so it
is not part of a bundle: it is an entry of a cache, under a name made of everything that determines its contents.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cpu.cache_folder import (
    INSTEAD,
    default_cache_folder,
    open_cache_folder,
    refuse_foreign,
    remove_folder,
    sole_writer,
    unfinished_folder,
    unusable,
)
from biogpt_onnx.runtime.bundle import FileRecord, Manifest, check_files, hash_file, weights_outside
from biogpt_onnx.runtime.errors import BundleError, ConfigError, ProviderError
from biogpt_onnx.runtime.memory.formula import STARTED_BYTES, memory_need
from biogpt_onnx.runtime.memory.guard import refuse_excess
from biogpt_onnx.runtime.ort.denormals import denormals_as_zeros
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime, SessionOptions
from biogpt_onnx.runtime.ort.providers import is_outdated, outdated
from biogpt_onnx.runtime.system.files import flush_folder, flush_names, remove_file, rename
from biogpt_onnx.runtime.system.processor import describe_processor

FORMAT_VERSION = 1

ENTRY_FILE = "entry.json"

_FILES = (bundle.MODEL_FILE, bundle.WEIGHTS_FILE)
_NOT_OF_THE_MODEL = frozenset({bundle.CONFIG_FILE, bundle.VOCAB_FILE, bundle.MERGES_FILE, bundle.TOKENIZER_CONFIG_FILE})
_GRAPH_FILES = frozenset(
    {
        bundle.MODEL_FILE,
        bundle.CAUSAL_MODEL_FILE,
        bundle.MIXED_MODEL_FILE,
        bundle.RAGGED_MODEL_FILE,
        bundle.STEPS_MODEL_FILE,
    }
)
_MAX_ENTRY_BYTES = 1024 * 1024
_NAME_DIGITS = 32

# Size below which tensors stay in the graph's own file.
_MIN_EXTERNAL_BYTES = 1024
# Most times the bundle's size that an entry takes, which has the weights as they were and rearranged. Of the quantized
# ones, 4-bit blocks take most, 2.14 x the bundle; half precision, which becomes float32 first, takes 4.23 x.
_MAX_GROWTH = 2.25
_MAX_HALF_GROWTH = 4.5
_HALF_PRECISIONS = frozenset({"fp16", "bf16"})
_SPARE_BYTES = 16 * 1024 * 1024

# Options that may change the graph or the layout of its weights. The number of threads is not among them: files made
# with one, two and three threads were the same to the last byte.
_CONFIG_ENTRIES = (
    "optimization.disable_specified_optimizers",
    "session.disable_prepacking",
    "session.x64quantprecision",
    "session.set_denormal_as_zero",
    "mlas.disable_kleidiai",
    "mlas.enable_gemm_fastmath_arm64_bfloat16",
)


@dataclass(frozen=True)
class PrepackedWeights:
    """A bundle's model with its weights rearranged, as an entry of a cache.

    Attributes:
        onnxruntime: the module `onnxruntime`.
        bundle_folder: folder of the bundle, which is read only when the entry is made.
        manifest: manifest of the bundle.
        cache_folder: folder of the entries; None for `default_cache_folder()`.
        graph_file: the bundle's file of the graph that is to be opened.
        check_memory: True to refuse to make an entry where the memory for it is not there.
    """

    onnxruntime: OnnxRuntime
    bundle_folder: Path
    manifest: Manifest
    cache_folder: Path | None = None
    graph_file: str = bundle.MODEL_FILE
    check_memory: bool = True

    def model_path(self, options: SessionOptions) -> Path:
        """Returns the path of the model to open instead of the bundle's; makes it if the cache has none that is whole.

        Args:
            options: options of a session, equal to those with which the model will be opened. They are changed, and
                must not be used again.

        Raises:
            ConfigError: the cache folder cannot be written, has too little room, or others may write to it.
            MemoryLimitError: the weights, rearranged in memory before they are written, do not fit there.
            BundleError: the bundle is not what its manifest says, or its weights are a link that is not followed.
            ProviderError: ONNX Runtime is too old for the bundle.
        """
        folder = open_cache_folder(self.cache_folder or default_cache_folder())
        identity = self._identity(options)
        entry = folder / _name(identity)
        try:
            if not _is_whole(entry, identity):
                with sole_writer(folder):
                    # While this process waited for the lock, another may have made this entry.
                    if not _is_whole(entry, identity):
                        self._make(entry, identity, options)
        except OSError as error:
            raise unusable(folder, error) from error
        return entry / bundle.MODEL_FILE

    def _identity(self, options: SessionOptions) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "model_files": {name: record.sha256 for name, record in sorted(self._model_files().items())},
            "onnxruntime": {"version": self.onnxruntime.__version__, "build": self.onnxruntime.get_build_info()},
            "processor": describe_processor(),
            "options": {"graph_optimization_level": options.graph_optimization_level.name}
            | {name: _config_entry(options, name) for name in _CONFIG_ENTRIES},
        }

    def _model_files(self) -> dict[str, FileRecord]:
        """Returns the bundle's files of which the model is made: the graph and its weights."""
        others = _NOT_OF_THE_MODEL | _GRAPH_FILES - {self.graph_file}
        return {name: record for name, record in self.manifest.files.items() if name not in others}

    def _make(self, entry: Path, identity: dict[str, Any], options: SessionOptions) -> None:
        _check_room(entry.parent, self.manifest.precision, self._model_files().values())
        if self.check_memory:
            refuse_excess(
                memory_need(self.manifest).total - STARTED_BYTES,
                f"making the prepacked weights of {self.bundle_folder}, once for all,",
                "make them outside of the limit, by a load with the same cache folder and processor",
            )
        # The entry's name is made of these hashes, so that the bundle's files must have them.
        check_files(self.bundle_folder, self.manifest, contents=True)
        with unfinished_folder(entry.parent) as building:
            self._write_model(building, options)
            record = identity | {"files": _records(building)}
            (building / ENTRY_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8", newline="\n")
            for path in building.iterdir():
                path.chmod(0o600)
            flush_folder(building)
            _put(building, entry, identity)
        flush_names(entry.parent)

    def _write_model(self, folder: Path, options: SessionOptions) -> None:
        options.optimized_model_filepath = str(folder / bundle.MODEL_FILE)
        prefix = "session.optimized_model_external_initializers"
        options.add_session_config_entry(f"{prefix}_file_name", bundle.WEIGHTS_FILE)
        options.add_session_config_entry(f"{prefix}_min_size_in_bytes", str(_MIN_EXTERNAL_BYTES))
        options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
        try:
            with denormals_as_zeros():
                self.onnxruntime.InferenceSession(
                    self.bundle_folder / self.graph_file, options, providers=["CPUExecutionProvider"]
                )
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            if is_outdated(self.onnxruntime):
                raise ProviderError(f"{self.bundle_folder} cannot be loaded: {outdated(self.onnxruntime)}") from error
            if link := weights_outside(self.bundle_folder):
                raise BundleError(link) from error
            raise ConfigError(
                f"prepacked weights of {self.bundle_folder} cannot be written to {folder.parent} "
                f"({_reason(error)}); nothing is left of them: check the space there; or {INSTEAD}"
            ) from error


def _name(identity: dict[str, Any]) -> str:
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_NAME_DIGITS]


def _config_entry(options: SessionOptions, name: str) -> str | None:
    try:
        value: str = options.get_session_config_entry(name)
    except RuntimeError:  # it has not been set
        return None
    return value


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    # To hash the weights at each load would cost as much as the cache saves; the graph is small.
    records: dict[str, dict[str, Any]] = {name: {"size": (folder / name).stat().st_size} for name in _FILES}
    records[bundle.MODEL_FILE]["sha256"] = hash_file(folder / bundle.MODEL_FILE)
    return records


def _is_whole(entry: Path, identity: dict[str, Any]) -> bool:
    """Returns True if an entry exists, has this identity and all of its files.

    Raises:
        ConfigError: other users could have written the entry.
    """
    if entry.is_symlink() or not entry.is_dir():
        return False
    paths = [entry / name for name in (ENTRY_FILE, *_FILES)]
    try:
        for path in (entry, *paths):
            refuse_foreign(path)
        if any(path.is_symlink() or not path.is_file() for path in paths):
            return False
        if paths[0].stat().st_size > _MAX_ENTRY_BYTES:
            return False
        record = json.loads(paths[0].read_text(encoding="utf-8"))
        return bool(record == identity | {"files": _records(entry)})
    except (FileNotFoundError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):  # which is a ValueError too
            raise
        return False


def _check_room(folder: Path, precision: str, files: Iterable[FileRecord]) -> None:
    growth = _MAX_HALF_GROWTH if precision in _HALF_PRECISIONS else _MAX_GROWTH
    needed, free = int(growth * sum(record.size for record in files)) + _SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"the cache folder {folder} has {free / 1e9:.2f} GB free, and prepacked weights may take "
            f"{needed / 1e9:.2f} GB: {INSTEAD}"
        )


def _put(building: Path, entry: Path, identity: dict[str, Any]) -> None:
    try:
        # Without locks, another process may have been faster.
        if _is_whole(entry, identity):
            return
        if entry.is_symlink() or entry.is_file():
            remove_file(entry)
        elif entry.exists():
            remove_folder(entry)
        rename(building, entry)
    except OSError:
        if not _is_whole(entry, identity):
            raise


def _reason(error: Exception) -> str:
    # ONNX Runtime's message has the reason at its end, after places in its source.
    return " ".join(str(error).split()).rpartition(" : ")[-1]
