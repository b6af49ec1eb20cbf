"""A bundle's graph in ONNX Runtime."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError, ProviderError
from biogpt_onnx.runtime.kv_cache import KeyValueCache
from biogpt_onnx.runtime.providers import Device, choose_provider, import_onnxruntime, warn_of_two_runtimes


class DecoderSession:
    """Runs a bundle's graph step by step over a cache; what the searches know as a `DecoderModel`.

    Attributes:
        vocab_size: entries of a row of logits.
        max_positions: tokens that a sequence may have.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        device: Device = "auto",
        threads: int | None = None,
        prepack: bool = True,
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

        Raises:
            ProviderError: ONNX Runtime or the device cannot be had.
            BundleError: the graph cannot be loaded.
            ConfigError: a bad number of threads.
        """
        onnxruntime = import_onnxruntime()
        warn_of_two_runtimes()
        self._architecture = manifest.architecture
        self.vocab_size = manifest.architecture.vocab_size
        self.max_positions = manifest.architecture.max_positions
        self.provider = choose_provider(onnxruntime, device, manifest.precision)
        self._ort_value = onnxruntime.OrtValue.ortvalue_from_numpy
        options = _session_options(onnxruntime, threads, prepack=prepack or manifest.precision != "fp32")
        self._session = _open(onnxruntime, folder / bundle.MODEL_FILE, options, self.provider)
        _check_contract(folder, self._session, manifest)

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """An empty cache; see `KeyValueCache.allocate`."""
        return KeyValueCache.allocate(self._architecture, batch_size, capacity)

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
                bundle.ATTENTION_BIAS: attention_bias,
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
            cache.binding.bind_ortvalue_input(name, self._ort_value(array))
        cache.binding.bind_ortvalue_output(bundle.LOGITS, self._ort_value(logits))
        self._session.run_with_iobinding(cache.binding)

    def _bind_cache(self, cache: KeyValueCache) -> Any:  # noqa: ANN401 -- ONNX Runtime has no types
        # Past and present name the same memory: this is what makes the update happen in place.
        binding = self._session.io_binding()
        for layer in range(self._architecture.num_layers):
            for index, part in enumerate(("key", "value")):
                value = self._ort_value(cache.slab[layer, index])
                binding.bind_ortvalue_input(bundle.past_name(layer, part), value)
                binding.bind_ortvalue_output(bundle.present_name(layer, part), value)
        return binding


def _session_options(onnxruntime: ModuleType, threads: int | None, *, prepack: bool) -> Any:  # noqa: ANN401 -- as above
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _num_threads(threads)
    # The graph comes fused as it should run. The higher levels would make SkipLayerNormalization of it, which is slow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # What goes wrong comes as an exception; the log would only say it a second time.
    options.log_severity_level = 4
    # Without it 8-bit products saturate on CPUs that lack VNNI; it changes nothing on those that have it.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def _num_threads(threads: int | None) -> int:
    if threads is None:
        # 0 is ONNX Runtime's own choice, one a physical core; it does not see that a process may be kept to a few.
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        return available if available < (os.cpu_count() or 1) else 0
    if type(threads) is not int or threads < 1:
        raise ConfigError(f"threads is {threads!r}: give a whole number of 1 or more, or None for all cores")
    return threads


def _open(onnxruntime: ModuleType, path: Path, options: Any, provider: str) -> Any:  # noqa: ANN401 -- as above
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        first_line = str(error).partition("\n")[0]
        raise BundleError(
            f"{path} cannot be loaded ({first_line}): check it with `biogpt-onnx info --check`"
        ) from error
    if provider not in session.get_providers():
        raise ProviderError(f"{provider} was asked for, but ONNX Runtime could not start it")
    return session


def _check_contract(folder: Path, session: Any, manifest: Manifest) -> None:  # noqa: ANN401 -- as above
    graph_names = {value.name for value in (*session.get_inputs(), *session.get_outputs())}
    manifest_names = {spec.name for spec in (*manifest.inputs, *manifest.outputs)}
    if graph_names != manifest_names:
        names = ", ".join(sorted(graph_names ^ manifest_names)[:3])
        raise BundleError(f"{folder}: the graph and the manifest disagree on {names}: export the bundle again")
