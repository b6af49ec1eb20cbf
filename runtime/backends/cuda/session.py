"""A session of a bundle's graph on a device with a memory of its own, which holds the cache and the logits."""

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.buffers import BufferPool, CacheBuffer
from biogpt_onnx.runtime.backends.cuda.cache import DeviceCache
from biogpt_onnx.runtime.backends.cuda.memory import device_memory
from biogpt_onnx.runtime.backends.cuda.outputs import DeviceTokenScores, OutputGraphs, OutputRow, PassOutputs
from biogpt_onnx.runtime.backends.cuda.prompt_groups import prompt_groups
from biogpt_onnx.runtime.backends.cuda.step import DeviceStep
from biogpt_onnx.runtime.backends.cuda.token_mover import TokenMover
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.ort.pass_inputs import pass_inputs, room_needed
from biogpt_onnx.runtime.ort.protocols import InferenceSession, IoBinding, OnnxRuntime, RunOptions
from biogpt_onnx.runtime.ort.providers import CUDA_PROVIDER
from biogpt_onnx.runtime.ort.sessions import (
    cache_element_type,
    check_contract,
    open_session,
    session_options,
    when_open,
)
from biogpt_onnx.runtime.tokenizer.vocabulary import PAD_ID

_GRAPH_ID = "gpu_graph_id"
_NOT_CAPTURED = "-1"

_TOKENS_SCORED_AT_ONCE = 4_096
"""Most tokens, including padding, of a pass that scores given sequences.

These are twice as many as a card computes in the least time of a pass: more would be no faster, and their caches take
memory.
"""


@dataclass(frozen=True)
class Accelerator:
    """A device, by ONNX Runtime's names for it.

    Attributes:
        name: name of the device's memory.
        provider: execution provider of the device.
        options: options of the execution provider.
        captures: True if steps of fixed shapes and addresses are captured and replayed as CUDA graphs.
    """

    name: str
    provider: str
    options: tuple[tuple[str, str], ...] = ()
    captures: bool = False


_FLASH, _MEMORY_EFFICIENT, _UNFUSED = 1, 2, 16
"""Bits of the option `sdpa_kernel`."""

CUDA_DEVICE = Accelerator(
    "cuda",
    CUDA_PROVIDER,
    (
        # By default the arena would take powers of two, up to twice the memory that is needed.
        ("arena_extend_strategy", "kSameAsRequested"),
        # By default cuDNN's attention would read prompts on newer cards. It makes a plan for each length of a prompt
        # that is new to a thread, which by others' accounts takes longer than to read it, and keeps all plans.
        ("sdpa_kernel", str(_FLASH | _MEMORY_EFFICIENT | _UNFUSED)),
    ),
    captures=True,
)


class DeviceSession:
    """A session that runs a bundle's causal graph over a cache in the device's memory; see `RowDecoder`.

    The causal graph has no attention bias, so that the fast kernels of attention run it. Each row is therefore a plain
    sequence of tokens: beams and continuations have rows of their own, and the rejected end of a draft is truncated.

    Attributes:
        vocab_size: number of entries of a row of logits.
        max_positions: most tokens that a sequence may have.
        device: name of the device's memory.
        provider: execution provider of the device.
    """

    def __init__(
        self, onnxruntime: OnnxRuntime, folder: Path, manifest: Manifest, accelerator: Accelerator = CUDA_DEVICE
    ) -> None:
        """Loads the graph.

        Args:
            onnxruntime: the module `onnxruntime`.
            folder: folder of the bundle.
            manifest: manifest of the bundle.
            accelerator: device that runs the graph.

        Raises:
            BundleError: the graph cannot be loaded, or the bundle has none for GPUs.
            ProviderError: the provider cannot be started.
            DeviceMemoryError: the weights do not fit.
        """
        if manifest.causal is None:
            raise BundleError(
                f"{folder} has no {bundle.CAUSAL_MODEL_FILE}, which runs on GPUs: quantize the float32 bundle anew, by "
                "the recipe fp16 or bf16"
            )
        self._onnxruntime, self._folder = onnxruntime, folder
        self._accelerator = accelerator
        self._element_type = cache_element_type(folder, manifest)
        self.vocab_size = manifest.architecture.vocab_size
        self.max_positions = manifest.architecture.max_positions
        self.device, self.provider = accelerator.name, accelerator.provider
        self._causal: InferenceSession | None
        self._causal, self._captures = self._open_causal(manifest.causal)
        self._not_captured = self._run_options(_NOT_CAPTURED)
        # Held during each use of the device: while one thread captures a step, none may allocate or copy there, and a
        # captured step and its fixed inputs serve one run at a time.
        self._lock = threading.RLock()
        self._mover = TokenMover(onnxruntime, accelerator.provider, accelerator.name, self._lock)
        self._pool = BufferPool(onnxruntime, accelerator.name, manifest.architecture, self._mover, self._lock)
        self._output_graphs = OutputGraphs(onnxruntime, accelerator.provider, accelerator.name, self.vocab_size)

    def close(self) -> None:
        """Frees the session and the idle buffers; a pass that is being computed ends first.

        Later passes raise a `ModelClosedError`. Buffers that are in use are freed when nothing refers to their caches.
        """
        with self._lock:
            self._causal = None
            self._pool.close()

    def new_cache(self, batch_size: int, capacity: int) -> DeviceCache:
        """Returns an empty cache; see `DeviceCache.allocate`."""
        return DeviceCache.allocate(self._pool, self._mover, batch_size, capacity, self._element_type)

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: DeviceCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens to the cache and computes logits.

        Attention takes several tokens a row for one row at a time only, once the cache holds something.

        Args:
            input_ids: token ids, [batch, sequence].
            cache: cache of `batch` rows; its lengths grow by `sequence`.
            logits_indices: rows of the flattened batch * sequence whose logits are requested, [num_logits], at least
                one; by default each row's last.

        Returns:
            Logits [num_logits, vocab].

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        if logits_indices is None and input_ids.shape[1] == 1 and not cache.is_part:
            return self.step(input_ids, cache).logits()
        return self._pass(input_ids, cache, logits_indices).logits()

    def step(self, input_ids: npt.NDArray[np.int64], cache: DeviceCache) -> DeviceTokenScores:
        """Appends a token to each row, int64 [batch, 1]; see `RowDecoder`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        room_needed(cache, 1)
        buffer = cache.buffer
        with self._lock, device_memory("a step"):
            causal = when_open(self._causal)
            if buffer.step is None:
                buffer.step = self._new_step(causal, buffer)
            step: DeviceStep = buffer.step
            step.run(cache.rows, input_ids[:, 0], cache.lengths)
        cache.lengths += 1
        return self._scores_of([(step.outputs, row) for row in cache.rows], is_captured=self._captures)

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: DeviceCache, check: Callable[[], None]
    ) -> DeviceTokenScores:
        """Reads a prompt into each row of an empty cache; see `RowDecoder`.

        Prompts of a pass are padded at their ends: no token of theirs attends to the padding, and the next tokens
        overwrite it.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        groups = prompt_groups([len(prompt) for prompt in prompts])
        cache.arrange([row for group in groups for row in group])
        output_rows: dict[int, OutputRow] = {}
        for group in groups:
            check()
            input_ids, lengths = _padded([prompts[row] for row in group])
            lasts = np.arange(len(group)) * input_ids.shape[1] + lengths - 1
            output_rows |= zip(group, self._pass(input_ids, cache.part(group), lasts).rows, strict=True)
            cache.lengths[group] = lengths
        return self._scores_of([output_rows[row] for row in range(len(prompts))])

    def forward_row(
        self, token_ids: Sequence[int], cache: DeviceCache, *, last_only: bool = False
    ) -> DeviceTokenScores:
        """Appends several tokens to the only row; see `RowDecoder`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        requested = None if last_only else np.arange(len(token_ids))
        return self._pass(np.array([token_ids], dtype=np.int64), cache, requested)

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], requested: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of tokens in given sequences, in nats, [requested]; see `RowDecoder`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        scores = np.empty(len(requested), dtype=np.float32)
        for group in prompt_groups([len(sequence) for sequence in sequences], _TOKENS_SCORED_AT_ONCE):
            lines = np.full(len(sequences), -1)
            lines[group] = np.arange(len(group))
            here = lines[requested[:, 0]] >= 0
            number, place, token = requested[here].T
            scores[here] = self._scores([sequences[row] for row in group], lines[number], place, token)
        return scores

    def with_rows(self, cache: DeviceCache, rows: Sequence[int]) -> DeviceCache:
        """Returns a cache of these rows in this order; see `RowDecoder`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        return cache.with_rows(rows)

    def _scores(
        self,
        sequences: Sequence[Sequence[int]],
        numbers: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        tokens: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float32]:
        """Returns the log-probabilities of tokens at places of sequences, all [requested], by one pass; in nats."""
        input_ids, lengths = _padded(sequences)
        cache = self.new_cache(len(sequences), int(lengths.max()))
        indices, rows = np.unique(numbers * input_ids.shape[1] + places, return_inverse=True)
        return self._pass(input_ids, cache, indices).log_probabilities(rows, tokens)

    def _new_step(self, causal: InferenceSession, buffer: CacheBuffer) -> DeviceStep:
        # Captured graphs are released here, because the lock is held and no other thread runs a step.
        release = getattr(causal, "release_captured_graph", None)
        for number in self._pool.take_dropped():
            if release is not None:  # older versions keep graphs as long as the session
                release(number)
        binding = causal.io_binding()
        self._bind_cache(binding, buffer, 0, buffer.rows)
        options = self._run_options(str(buffer.number)) if self._captures else self._not_captured
        run = partial(causal.run_with_iobinding, binding, options)
        return DeviceStep(
            self._onnxruntime, run, binding, buffer, self.device, PassOutputs(self._output_graphs, buffer.rows)
        )

    def _scores_of(self, rows: Sequence[OutputRow], *, is_captured: bool = False) -> DeviceTokenScores:
        return DeviceTokenScores(rows, self.vocab_size, self._lock, is_captured=is_captured)

    def _pass(
        self, input_ids: npt.NDArray[np.int64], cache: DeviceCache, logits_indices: npt.NDArray[np.int64] | None
    ) -> DeviceTokenScores:
        """Appends tokens [batch, sequence] to the cache, and returns the scores at `logits_indices`."""
        inputs = pass_inputs(input_ids, cache, None, logits_indices)
        count = len(inputs[bundle.LOGITS_INDICES])
        with self._lock, device_memory(f"a pass over {input_ids.size:,} tokens"):
            causal = when_open(self._causal)
            if cache.binding is None:
                cache.binding = causal.io_binding()
                self._bind_cache(cache.binding, cache.buffer, _first_row(cache), cache.batch_size)
            outputs = PassOutputs(self._output_graphs, count)
            outputs.bind(cache.binding)
            # The arrays live as long as `inputs` does; ONNX Runtime copies them to the device.
            for name, array in inputs.items():
                cache.binding.bind_ortvalue_input(name, self._onnxruntime.OrtValue.ortvalue_from_numpy(array))
            causal.run_with_iobinding(cache.binding, self._not_captured)
        cache.lengths += input_ids.shape[1]
        return self._scores_of([(outputs, row) for row in range(count)])

    def _bind_cache(self, binding: IoBinding, buffer: CacheBuffer, first_row: int, rows: int) -> None:
        # Past and present name the same memory, so that the update happens in place.
        element_type = self._element_type.onnx_type or self._element_type.storage.type
        place = (self._accelerator.name, 0, element_type, buffer.part_shape(rows))
        for layer in range(buffer.shape[0]):
            for part, name in enumerate(("key", "value")):
                address = buffer.address(layer, part, first_row)
                binding.bind_input(bundle.past_name(layer, name), *place, address)
                binding.bind_output(bundle.present_name(layer, name), *place, address)

    def _run_options(self, graph_id: str) -> RunOptions:
        options = self._onnxruntime.RunOptions()
        options.add_run_config_entry(_GRAPH_ID, graph_id)
        return options

    def _open_causal(self, spec: GraphSpec) -> tuple[InferenceSession, bool]:
        """Returns a session of the causal graph, and True if its steps are captured."""
        if not self._accelerator.captures:
            return self._open(spec, captures=False), False
        try:
            return self._open(spec, captures=True), True
        except BundleError as error:
            session = self._open(spec, captures=False)
            warnings.warn(f"steps do not run as CUDA graphs, because {error}", RuntimeWarning, stacklevel=2)
            return session, False

    def _open(self, spec: GraphSpec, *, captures: bool) -> InferenceSession:
        path = self._folder / bundle.CAUSAL_MODEL_FILE
        with device_memory(str(path)):
            session = open_session(
                self._onnxruntime,
                path,
                # One thread, because all but the computation of a shape is done on the device.
                session_options(self._onnxruntime, 1, prepack=True, is_half_on_cpu=False),
                self.provider,
                "check it with `biogpt-onnx info --check`",
                provider_options=dict(self._accelerator.options) | ({"enable_cuda_graph": "1"} if captures else {}),
            )
        check_contract(self._folder, session, spec)
        return session


def _padded(sequences: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns sequences as rows that are padded at their ends, [sequences, longest], and their lengths, [sequences]."""
    lengths = np.array([len(sequence) for sequence in sequences])
    input_ids = np.full((len(sequences), lengths.max()), PAD_ID, dtype=np.int64)
    for line, sequence in enumerate(sequences):
        input_ids[line, : lengths[line]] = sequence
    return input_ids, lengths


def _first_row(cache: DeviceCache) -> int:
    first = cache.rows[0]
    if cache.rows != tuple(range(first, first + cache.batch_size)):
        raise ValueError("several tokens are appended to rows that lie side by side, or to one at a time")
    return first
