"""A bundle's graph in ONNX Runtime."""

import os
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.element_types import ELEMENT_TYPES, FLOAT32, ElementType
from biogpt_onnx.runtime.errors import BundleError, ConfigError, ProviderError
from biogpt_onnx.runtime.kv_cache import KeyValueCache
from biogpt_onnx.runtime.prepacked_weights import PrepackedWeights, give_back_freed_memory
from biogpt_onnx.runtime.providers import (
    CPU_PROVIDER,
    Device,
    choose_provider,
    import_onnxruntime,
    warn_of_two_runtimes,
)


class DecoderSession:
    """Runs a bundle's graph step by step over a cache; what the searches know as a `DecoderModel`.

    Attributes:
        vocab_size: entries of a row of logits.
        max_positions: tokens that a sequence may have.
    """

    def __init__(  # noqa: PLR0913 -- what is loaded, where it runs, and how its weights are kept
        self,
        folder: Path,
        manifest: Manifest,
        *,
        device: Device = "auto",
        threads: int | None = None,
        prepack: bool = True,
        share_weights: bool = False,
        cache_folder: Path | None = None,
    ) -> None:
        """Loads the graph.

        Args:
            folder: the bundle.
            manifest: its manifest.
            device: where it runs.
            threads: threads that compute one step; None lets ONNX Runtime take one for each core it may use.
            prepack: whether weights are rearranged once at loading. It makes prefill and batches faster, and a row's
                logits the same to the last bit in any batch, but takes seconds and a copy of the weights in memory;
                without it they are mapped from the file as they are, and steps of one row are faster. Quantized
                weights are always rearranged: ONNX Runtime would unpack them at every step otherwise.
            share_weights: whether rearranged weights are mapped from a cache on the disk, of which all processes have
                one copy in memory, rather than kept by each; on the CPU only. See `PrepackedWeights`.
            cache_folder: where that cache is; None for the default place.

        Raises:
            ProviderError: ONNX Runtime or the device cannot be had.
            BundleError: the graph cannot be loaded.
            ConfigError: a bad number of threads, weights that cannot be shared, or a cache that cannot be used.
        """
        onnxruntime = import_onnxruntime()
        warn_of_two_runtimes()
        self._architecture = manifest.architecture
        self.vocab_size = manifest.architecture.vocab_size
        self.max_positions = manifest.architecture.max_positions
        self.provider = choose_provider(onnxruntime, device, manifest.precision)
        self._ort_value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._typed_ort_value = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type
        self._element_type = _cache_element_type(folder, manifest)
        prepack = prepack or manifest.precision != "fp32"
        _check_sharing(self.provider, share_weights=share_weights, prepack=prepack, cache_folder=cache_folder)
        is_half_on_cpu = self._element_type is not FLOAT32 and self.provider == CPU_PROVIDER
        new_options = partial(_session_options, onnxruntime, threads, prepack=prepack, is_half_on_cpu=is_half_on_cpu)
        path, remedy = folder / bundle.MODEL_FILE, "check it with `biogpt-onnx info --check`"
        if share_weights:
            path = PrepackedWeights(onnxruntime, folder, manifest, cache_folder).model_path(new_options())
            remedy = f"delete {path.parent}, which is then made anew"
        self._session = _open(onnxruntime, path, new_options(), self.provider, remedy)
        if share_weights:
            give_back_freed_memory()
        _check_contract(folder, self._session, manifest)

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """An empty cache; see `KeyValueCache.allocate`."""
        return KeyValueCache.allocate(self._architecture, batch_size, capacity, self._element_type)

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens to the cache and computes logits.

        ONNX Runtime's CPU attention takes several tokens a row for one row at a time only, once the cache holds
        something.

        Args:
            input_ids: [batch, sequence].
            cache: of as many rows; its lengths grow by `sequence`.
            position_ids: [batch, sequence]; by default they go on from the cache's lengths.
            attention_bias: [batch or 1, heads or 1, sequence, total], added to the attention scores, `total` being the
                longest row's tokens after this step; by default none.
            logits_indices: [num_logits], the rows of the flattened batch * sequence whose logits are wanted; by default
                each row's last.

        Returns:
            Logits [num_logits, vocab].
        """
        batch_size, sequence = input_ids.shape
        starts = cache.lengths
        total = int(starts.max()) + sequence
        if total > cache.capacity:
            raise ValueError(f"the cache holds {cache.capacity} tokens a row, {total} are needed")
        if position_ids is None:
            position_ids = starts[:, None] + np.arange(sequence)
        if attention_bias is None:
            attention_bias = np.zeros((1, 1, sequence, total), dtype=np.float32)
        if logits_indices is None:
            logits_indices = np.arange(1, batch_size + 1) * sequence - 1
        logits = np.empty((len(logits_indices), self.vocab_size), dtype=np.float32)
        self._run(
            cache,
            {
                bundle.INPUT_IDS: input_ids,
                bundle.POSITION_IDS: position_ids,
                bundle.SEQLENS_K: (starts + (sequence - 1)).astype(np.int32),
                bundle.TOTAL_SEQUENCE_LENGTH: np.array(total, dtype=np.int32),
                bundle.ATTENTION_BIAS: self._element_type.store(attention_bias),
                bundle.LOGITS_INDICES: logits_indices,
            },
            logits,
        )
        cache.lengths += sequence
        return logits

    def _run(self, cache: KeyValueCache, inputs: dict[str, npt.NDArray[Any]], logits: npt.NDArray[np.float32]) -> None:
        if cache.binding is None:
            cache.binding = self._bind_cache(cache)
        # Nothing is copied or kept alive by binding: the arrays live as long as `inputs`, `logits` and the cache do.
        for name, array in inputs.items():
            to_value = self._half_or_float if name == bundle.ATTENTION_BIAS else self._ort_value
            cache.binding.bind_ortvalue_input(name, to_value(array))
        cache.binding.bind_ortvalue_output(bundle.LOGITS, self._ort_value(logits))
        self._session.run_with_iobinding(cache.binding)

    def _half_or_float(self, array: npt.NDArray[Any]) -> Any:  # noqa: ANN401 -- ONNX Runtime has no types
        onnx_type = self._element_type.onnx_type
        return self._ort_value(array) if onnx_type is None else self._typed_ort_value(array, onnx_type)

    def _bind_cache(self, cache: KeyValueCache) -> Any:  # noqa: ANN401 -- ONNX Runtime has no types
        # Past and present name the same memory: this is what makes the update happen in place.
        binding = self._session.io_binding()
        for layer in range(self._architecture.num_layers):
            for index, part in enumerate(("key", "value")):
                value = self._half_or_float(cache.slab[layer, index])
                binding.bind_ortvalue_input(bundle.past_name(layer, part), value)
                binding.bind_ortvalue_output(bundle.present_name(layer, part), value)
        return binding


def _session_options(onnxruntime: ModuleType, threads: int | None, *, prepack: bool, is_half_on_cpu: bool) -> Any:  # noqa: ANN401 -- as above
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _num_threads(threads)
    # The graph comes fused as it should run. The higher levels would make SkipLayerNormalization of it, which is slow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # What goes wrong comes as an exception; the log would only say it a second time.
    options.log_severity_level = 4
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if is_half_on_cpu:
        _compute_half_in_float32(onnxruntime, options)
    return options


def _compute_half_in_float32(onnxruntime: ModuleType, options: Any) -> None:  # noqa: ANN401 -- as above
    # Products and sums of 16 bits have no kernels for the CPU, so that ONNX Runtime converts what they read. Only its
    # highest level does that once for the weights, instead of at every step, and then rearranges them.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")


def _num_threads(threads: int | None) -> int:
    if threads is None:
        # 0 is ONNX Runtime's own choice, one a physical core; it does not see that a process may be kept to a few.
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        return available if available < (os.cpu_count() or 1) else 0
    if type(threads) is not int or threads < 1:
        raise ConfigError(f"threads is {threads!r}: give a whole number of 1 or more, or None for all cores")
    return threads


def _check_sharing(provider: str, *, share_weights: bool, prepack: bool, cache_folder: Path | None) -> None:
    if not share_weights:
        if cache_folder is not None:
            raise ConfigError(f"cache_folder is {str(cache_folder)!r}, but only share_weights=True uses a cache")
        return
    if provider != CPU_PROVIDER:
        raise ConfigError(
            f"share_weights is True, but the model runs on {provider}, which keeps weights in the device's memory: "
            "choose device cpu, or share_weights=False"
        )
    if not prepack:
        raise ConfigError(
            "share_weights is True and prepack False: without prepacking, processes share a float32 bundle's own file "
            "already; leave out one of the two"
        )


def _open(
    onnxruntime: ModuleType,
    path: Path,
    options: Any,  # noqa: ANN401 -- as above
    provider: str,
    remedy: str,
) -> Any:  # noqa: ANN401 -- as above
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        first_line = str(error).partition("\n")[0]
        raise BundleError(f"{path} cannot be loaded ({first_line}): {remedy}") from error
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} was asked for, but ONNX Runtime could not start it")
    return session


def _check_contract(folder: Path, session: Any, manifest: Manifest) -> None:  # noqa: ANN401 -- as above
    graph_names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    manifest_names = {spec.name for spec in (*manifest.inputs, *manifest.outputs)}
    if graph_names != manifest_names:
        names = ", ".join(sorted(graph_names ^ manifest_names)[:3])
        raise BundleError(f"{folder}: the graph and the manifest disagree on {names}: export the bundle again")


def _cache_element_type(folder: Path, manifest: Manifest) -> ElementType:
    first = bundle.past_name(0, "key")
    # Where there is no such input, the graph has one that the manifest lacks: see `_check_contract`.
    dtype = next((spec.dtype for spec in manifest.inputs if spec.name == first), FLOAT32.name)
    if dtype not in ELEMENT_TYPES:
        raise BundleError(
            f"{folder}: the cache has the type {dtype}, this biogpt-onnx knows {', '.join(ELEMENT_TYPES)}"
        )
    return ELEMENT_TYPES[dtype]
