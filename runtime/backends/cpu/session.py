"""A bundle's graph in ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.opened_graph import OpenedGraph
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.memory.guard import CacheGuard
from biogpt_onnx.runtime.memory.shortage import shortage_as_limit
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.denormals import denormals_as_zeros
from biogpt_onnx.runtime.ort.element_types import INT8
from biogpt_onnx.runtime.ort.pass_inputs import input_value, pass_inputs, room_needed, seqlens_k
from biogpt_onnx.runtime.ort.protocols import InferenceSession, IoBinding
from biogpt_onnx.runtime.ort.providers import CPU_PROVIDER, import_onnxruntime
from biogpt_onnx.runtime.ort.sessions import cache_element_type, when_open

_REDO = "export the checkpoint again, and quantize it again"

_ONE_ROW = np.ones(1, dtype=np.int64)
"""The input `logits_limit` of a pass whose hidden states alone are wanted.

Not 0, and a pass of which nothing is wanted computes a row, too: ONNX Runtime before 1.32 cannot multiply no rows by a
quantized matrix.
"""

_FIRST = np.zeros(1, dtype=np.int64)

_NO_PIECE = {name: np.zeros((1, 0), dtype=np.int64) for name in (bundle.INPUT_IDS, bundle.POSITION_IDS)} | {
    bundle.SEQLENS_K: np.zeros(1, dtype=np.int32),
    bundle.TOTAL_SEQUENCE_LENGTH: np.ones((), dtype=np.int32),
    bundle.ATTENTION_BIAS: np.zeros((1, 1, 1, 1), dtype=np.float32),
}
"""Inputs of the mixed graph in a pass in which nothing is read, if the steps' cache is quantized."""

_NO_STEPS = {name: np.zeros((0, 1), dtype=np.int64) for name in (bundle.STEP_IDS, bundle.STEP_POSITION_IDS)}
"""Inputs of the mixed graph in a pass in which no other sequence steps."""


class DecoderSession:
    """A session that runs a bundle's graph on the CPU, pass by pass over a cache; see `TreeDecoder`.

    It runs the mixed or the ragged graph, which do all that the first one does, where the options and ONNX Runtime
    allow. With the mixed graph it is a `MixedDecoder`, too. Of a bundle with a steps graph it runs either that one or
    those that read; see `TwoGraphSession`.

    Attributes:
        is_mixed: True if it runs the mixed graph.
        is_ragged: True if it runs a ragged graph, so that rows may get different numbers of tokens in one pass.
        vocab_size: number of tokens of the vocabulary, and of entries of a row of a language model's logits.
        max_positions: most tokens that a sequence may have.
        device: name of the device, "cpu".
        provider: execution provider of ONNX Runtime.
        guard: the check of the memory that caches take; None without `check_memory`.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        options: LoadOptions | None = None,
        *,
        as_stored: bool = False,
        steps: bool = False,
    ) -> None:
        """Loads the graph.

        Args:
            folder: folder of the bundle.
            manifest: manifest of the bundle.
            options: number of threads, storage of the weights, and the graph; by default `LoadOptions()`.
            as_stored: True to map all weights from the file as they are, quantized ones too. The session opens at once,
                but unpacks blocks and multiplies them in float32 at every pass.
            steps: True for the steps graph, if the bundle has one.

        Raises:
            ProviderError: ONNX Runtime is not available, or has no kernels for the bundle on a CPU.
            BundleError: the graph cannot be loaded.
            ConfigError: a bad number of threads, weights that cannot be shared, or a cache that cannot be used.
        """
        options = options or LoadOptions()
        self._onnxruntime = import_onnxruntime()
        self._graph = OpenedGraph(self._onnxruntime, folder, manifest, options, as_stored=as_stored, steps=steps)
        self.is_mixed = self._graph.file == bundle.MIXED_MODEL_FILE
        self.is_ragged = self._graph.file in {bundle.RAGGED_MODEL_FILE, bundle.STEPS_MODEL_FILE}
        self._folder, self._architecture = folder, manifest.architecture
        self._has_hidden_states = manifest.has_hidden_states
        self._logits_per_row = manifest.architecture.vocab_size if manifest.head is None else manifest.head.num_labels
        self.vocab_size = manifest.architecture.vocab_size
        self.max_positions = manifest.architecture.max_positions
        self.device, self.provider = "cpu", CPU_PROVIDER
        self.guard = CacheGuard(manifest) if options.check_memory else None
        self._element_type = cache_element_type(folder, manifest)
        self._step_type = self._element_type if manifest.cache is None else INT8
        # Where nothing is read or no other sequence steps, the mixed graph writes a token here that nobody reads.
        self._unused_piece, self._unused_step = (
            KeyValueCache.allocate(self._architecture, 1, 1, kind) for kind in (self._element_type, self._step_type)
        )
        self._mixed_binding: tuple[KeyValueCache, KeyValueCache, IoBinding] | None = None

    def close(self) -> None:
        """Frees the session; a pass that is being computed ends first, later ones raise a `ModelClosedError`."""
        self._graph.close()
        self._mixed_binding = None

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """Returns an empty cache; see `KeyValueCache.allocate`."""
        return KeyValueCache.allocate(self._architecture, batch_size, capacity, self._element_type)

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens to the cache and computes logits.

        Without the ragged graph, ONNX Runtime's CPU attention takes several tokens a row for one row at a time only,
        once the cache holds something. In a pass of several tokens a row, a row that gets one token rounds otherwise
        than in a pass of its own; a row that gets two or more does not.

        Args:
            input_ids: token ids, [batch, sequence].
            cache: cache of `batch` rows; its lengths grow by `sequence`.
            position_ids: positions of the tokens, [batch, sequence]; by default they go on from the cache's lengths.
            attention_bias: numbers that are added to the attention scores, [batch or 1, heads or 1, sequence, total],
                `total` being the longest row's tokens after this step; by default none.
            logits_indices: rows of the flattened batch * sequence whose logits are requested, [num_logits]; by default
                each row's last.
            num_tokens: tokens of each row, which come before its padding, [batch]; by default no row is padded. Only
                the ragged graph takes padding.

        Returns:
            Logits [num_logits, vocab]; [num_logits, labels] of a bundle with a classification head.

        Raises:
            ValueError: the cache has no room for the tokens, or rows are padded without the ragged graph.
            MemoryLimitError: the system has no memory for the tokens. The cache holds what it held before.
        """
        if num_tokens is not None and not self.is_ragged:
            raise ValueError("rows are padded, which only the ragged graph takes")
        wanted = None if logits_indices is None else len(logits_indices)
        indices = _FIRST if wanted == 0 else logits_indices
        inputs = self._inputs(input_ids, cache, position_ids, attention_bias, indices, num_tokens)
        logits = np.empty((len(inputs[bundle.LOGITS_INDICES]), self._logits_per_row), dtype=np.float32)
        self._make_room(cache, input_ids.shape[1], num_tokens)
        self._run(cache, inputs, {bundle.LOGITS: logits})
        cache.lengths += input_ids.shape[1] if num_tokens is None else num_tokens
        return logits[:wanted]

    def new_step_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """Returns an empty cache for `forward_steps`, in 8 bits if the bundle's steps have such a cache."""
        return KeyValueCache.allocate(self._architecture, batch_size, capacity, self._step_type)

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens that continue what was read; see `TreeDecoder`.

        Args:
            input_ids: token ids, [batch, sequence].
            cache: cache of `batch` rows, of the type of `new_step_cache`; its lengths grow by `sequence`.
            logits_indices: rows of the flattened batch * sequence whose logits are requested, at least one,
                [num_logits]; by default each row's last.
        """
        if self._step_type is not INT8:
            return self.forward(input_ids, cache, logits_indices=logits_indices)
        appended = pass_inputs(input_ids, cache, None, logits_indices)
        inputs = _NO_PIECE | {
            bundle.STEP_IDS: input_ids,
            bundle.STEP_POSITION_IDS: appended[bundle.POSITION_IDS],
            bundle.LOGITS_INDICES: appended[bundle.LOGITS_INDICES],
        }
        logits = np.empty((len(inputs[bundle.LOGITS_INDICES]), self._logits_per_row), dtype=np.float32)
        self._make_room(cache, input_ids.shape[1])
        session = when_open(self._graph.session)
        if self not in cache.bindings:
            cache.bindings[self] = self._bind_caches(session, self._unused_piece, cache)
        self._run_bound(session, cache.bindings[self], inputs, {bundle.LOGITS: logits})
        cache.lengths += input_ids.shape[1]
        return logits

    def read_and_step(
        self,
        piece_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        step_ids: npt.NDArray[np.int64],
        step_cache: KeyValueCache,
        *,
        is_last: bool,
    ) -> npt.NDArray[np.float32]:
        """Appends a piece of a prompt to one cache and a token to each row of another; see `MixedDecoder`."""
        room_needed(step_cache, 1)
        self._make_room(step_cache, 1)
        self._make_room(cache, piece_ids.shape[1])
        tokens, steps = piece_ids.shape[1], len(step_ids)
        # The rows of the steps come behind those of the piece.
        indices = np.arange(tokens, tokens + steps)
        if is_last:
            indices = np.append(indices, tokens - 1)
        inputs = self._inputs(piece_ids, cache, None, None, indices)
        inputs |= {bundle.STEP_IDS: step_ids, bundle.STEP_POSITION_IDS: step_cache.lengths[:, None].copy()}
        logits = np.empty((len(indices), self._logits_per_row), dtype=np.float32)
        session = when_open(self._graph.session)
        self._run_bound(session, self._binding_of_both(session, cache, step_cache), inputs, {bundle.LOGITS: logits})
        cache.lengths += tokens
        step_cache.lengths += 1
        return logits

    def hidden_states(
        self, input_ids: npt.NDArray[np.int64], cache: KeyValueCache, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Appends tokens to the cache and computes hidden states; see `TreeDecoder`.

        Raises:
            BundleError: the bundle was written before its graph could output hidden states.
        """
        if not self._has_hidden_states:
            raise BundleError(
                f"{self._folder} has no output for hidden states, as an earlier version wrote it: {_REDO}"
            )
        rows = indices if len(indices) else _FIRST
        inputs = self._inputs(input_ids, cache, None, None, rows) | {bundle.LOGITS_LIMIT: _ONE_ROW}
        states = np.empty((len(rows), self._architecture.hidden_size), dtype=np.float32)
        logits = np.empty((1, self._logits_per_row), dtype=np.float32)
        self._make_room(cache, input_ids.shape[1])
        self._run(cache, inputs, {bundle.HIDDEN_STATES: states, bundle.LOGITS: logits})
        # The next pass may be for logits, and must not find these inputs and outputs in its binding.
        cache.bindings.pop(self)
        cache.lengths += input_ids.shape[1]
        return states[: len(indices)]

    def _make_room(self, cache: KeyValueCache, sequence: int, num_tokens: npt.NDArray[np.int64] | None = None) -> None:
        if self.guard is not None:
            new_bytes = cache.new_bytes(sequence if num_tokens is None else num_tokens)
            self.guard.before_pass(new_bytes, cache.batch_size * sequence, int(cache.lengths.max()) + sequence)

    def _inputs(  # noqa: PLR0913, PLR0917 -- as above
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        position_ids: npt.NDArray[np.int64] | None,
        attention_bias: npt.NDArray[np.float32] | None,
        logits_indices: npt.NDArray[np.int64] | None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        batch_size, sequence = input_ids.shape
        if position_ids is None and num_tokens is not None:
            # There is no position for padding beyond the last one.
            position_ids = np.minimum(cache.lengths[:, None] + np.arange(sequence), self.max_positions - 1)
        inputs = pass_inputs(input_ids, cache, position_ids, logits_indices, num_tokens)
        if attention_bias is None:
            total = int(inputs[bundle.TOTAL_SEQUENCE_LENGTH])
            attention_bias = np.zeros((1, 1, sequence, total), dtype=np.float32)
        inputs[bundle.SEQLENS_K] = seqlens_k(cache, sequence if num_tokens is None else num_tokens)
        inputs[bundle.ATTENTION_BIAS] = self._element_type.store(attention_bias)
        if self.is_ragged:
            counts = np.full(batch_size, sequence) if num_tokens is None else num_tokens
            inputs[bundle.QUERY_SEQLENS] = counts.astype(np.int32)
        return inputs | _NO_STEPS if self.is_mixed else inputs

    def _run(
        self, cache: KeyValueCache, inputs: dict[str, npt.NDArray[Any]], outputs: dict[str, npt.NDArray[np.float32]]
    ) -> None:
        # Held until the pass is over, so that another thread may close the session meanwhile.
        session = when_open(self._graph.session)
        if self not in cache.bindings:
            cache.bindings[self] = self._bind_caches(session, cache, self._unused_step)
        self._run_bound(session, cache.bindings[self], inputs, outputs)

    def _run_bound(
        self,
        session: InferenceSession,
        binding: IoBinding,
        inputs: dict[str, npt.NDArray[Any]],
        outputs: dict[str, npt.NDArray[np.float32]],
    ) -> None:
        # Binding copies nothing and keeps nothing alive: the arrays live as long as `inputs`, `outputs` and the cache.
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, input_value(self._onnxruntime, self._element_type, name, array))
        for name, array in outputs.items():
            binding.bind_ortvalue_output(name, self._onnxruntime.OrtValue.ortvalue_from_numpy(array))
        with denormals_as_zeros(), shortage_as_limit():
            session.run_with_iobinding(binding)

    def _binding_of_both(self, session: InferenceSession, cache: KeyValueCache, step_cache: KeyValueCache) -> IoBinding:
        """Returns the binding of a piece's cache and the steps', which is kept until others come."""
        held = self._mixed_binding
        if held is None or held[0] is not cache or held[1] is not step_cache:
            held = self._mixed_binding = cache, step_cache, self._bind_caches(session, cache, step_cache)
        return held[2]

    def _bind_caches(self, session: InferenceSession, cache: KeyValueCache, step_cache: KeyValueCache) -> IoBinding:
        binding = session.io_binding()
        self._bind_cache(binding, cache, bundle.past_name, bundle.present_name)
        if self.is_mixed:
            self._bind_cache(binding, step_cache, bundle.step_past_name, bundle.step_present_name)
        return binding

    def _bind_cache(
        self,
        binding: IoBinding,
        cache: KeyValueCache,
        past_name: Callable[[int, str], str],
        present_name: Callable[[int, str], str],
    ) -> None:
        # Past and present name the same memory, so that the update happens in place.
        for layer in range(self._architecture.num_layers):
            for index, part in enumerate(("key", "value")):
                value = cache.element_type.ort_value(self._onnxruntime, cache.buffer[layer, index])
                binding.bind_ortvalue_input(past_name(layer, part), value)
                binding.bind_ortvalue_output(present_name(layer, part), value)
