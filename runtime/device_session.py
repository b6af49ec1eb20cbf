"""A bundle's graphs on a device whose memory is its own: the cache stays there, and so do the logits where they can."""

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import GraphSpec, Manifest
from biogpt_onnx.runtime.decoding.model import Selection
from biogpt_onnx.runtime.device_cache import DeviceCache
from biogpt_onnx.runtime.device_graphs import SELECT, SELECTED, open_graph
from biogpt_onnx.runtime.device_memory import device_memory
from biogpt_onnx.runtime.device_slab import DeviceSlab, SlabPool
from biogpt_onnx.runtime.device_step import DeviceStep
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.opening import cache_element_type, check_contract, open_session, session_options
from biogpt_onnx.runtime.pass_inputs import input_value, pass_inputs, room_needed, seqlens_k
from biogpt_onnx.runtime.prompt_groups import prompt_groups
from biogpt_onnx.runtime.providers import CUDA_PROVIDER
from biogpt_onnx.runtime.token_mover import TokenMover
from biogpt_onnx.runtime.tokenizer.vocabulary import PAD_ID

_GRAPH_ID = "gpu_graph_id"
_NOT_CAPTURED = "-1"


@dataclass(frozen=True)
class Accelerator:
    """A device and how ONNX Runtime calls it.

    Attributes:
        name: of its memory.
        provider: the execution provider.
        options: the provider's.
        captures: whether steps of fixed shapes and addresses are captured and replayed as CUDA graphs.
    """

    name: str
    provider: str
    options: tuple[tuple[str, str], ...] = ()
    captures: bool = False


_FLASH, _MEMORY_EFFICIENT, _UNFUSED = 1, 2, 16
"""Bits of the option `sdpa_kernel`."""

CUDA = Accelerator(
    "cuda",
    CUDA_PROVIDER,
    (
        # By default the arena would take powers of two, up to twice of what is needed.
        ("arena_extend_strategy", "kSameAsRequested"),
        # By default cuDNN's attention would read prompts on newer cards. It makes a plan for each length of a prompt
        # that a thread has not met before, which by others' accounts takes longer than to read it, and keeps them all.
        ("sdpa_kernel", str(_FLASH | _MEMORY_EFFICIENT | _UNFUSED)),
    ),
    captures=True,
)


class DeviceSession:
    """Runs a bundle for GPUs over a cache in the device's memory.

    It is what the searches know as a `BatchModel`.

    Prompts, and steps of one token for every row, run on the graph without an attention bias, whose attention is the
    fast one. Trees of tokens, which choices and drafts are, run on the other, which is loaded when it is first needed
    and has its own copy of the weights: ONNX Runtime shares none between sessions of a GPU.

    Attributes:
        vocab_size: entries of a row of logits.
        max_positions: tokens that a sequence may have.
        device: the name of its memory.
        provider: the execution provider.
        most_selected: tokens that a selection can have.
    """

    def __init__(
        self, onnxruntime: ModuleType, folder: Path, manifest: Manifest, accelerator: Accelerator = CUDA
    ) -> None:
        """Loads the graph for prompts and steps.

        Args:
            onnxruntime: ONNX Runtime.
            folder: the bundle.
            manifest: its manifest.
            accelerator: where it runs.

        Raises:
            BundleError: the graph cannot be loaded, or the bundle has none for GPUs.
            ProviderError: the provider cannot be started.
            DeviceMemoryError: the weights do not fit.
        """
        if manifest.chain is None:
            raise BundleError(
                f"{folder} has no {bundle.CHAIN_FILE}, which runs on GPUs: quantize the float32 bundle anew, by the "
                "recipe fp16 or bf16"
            )
        self._onnxruntime, self._folder, self._manifest = onnxruntime, folder, manifest
        self._accelerator = accelerator
        self._element_type = cache_element_type(folder, manifest)
        self.vocab_size = manifest.architecture.vocab_size
        self.max_positions = manifest.architecture.max_positions
        self.device, self.provider = accelerator.name, accelerator.provider
        self.most_selected = SELECTED
        self._chain, self._captures = self._open_chain(manifest.chain)
        self._not_captured = self._run_options(_NOT_CAPTURED)
        self._tree: Any = None
        # Held by whatever uses the device: while one thread captures a step, none may allocate or copy there, and a
        # captured step and its fixed inputs serve one run at a time.
        self._lock = threading.RLock()
        self._mover = TokenMover(onnxruntime, accelerator.provider, accelerator.name, self._lock)
        self._pool = SlabPool(onnxruntime, accelerator.name, manifest.architecture, self._mover, self._lock)
        self._selector = open_graph(onnxruntime, SELECT, accelerator.provider)
        self._counters = threading.local()

    @property
    def captured_steps(self) -> int:
        """Steps that this thread has had run as a CUDA graph."""
        return int(getattr(self._counters, "captured_steps", 0))

    def new_cache(self, batch_size: int, capacity: int) -> DeviceCache:
        """An empty cache; see `DeviceCache.allocate`."""
        return DeviceCache.allocate(self._pool, self._mover, batch_size, capacity, self._element_type)

    def forward(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: DeviceCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens to the cache and computes logits; see `DecoderSession.forward`, whose arguments these are.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        sequence = input_ids.shape[1]
        is_plain = attention_bias is None and logits_indices is None and position_ids is None
        if is_plain and sequence == 1 and not cache.is_part:
            with self._lock:
                return self._step(input_ids, cache).logits(cache.rows)
        inputs = pass_inputs(input_ids, cache, position_ids, logits_indices)
        logits = np.empty((len(inputs[bundle.LOGITS_INDICES]), self.vocab_size), dtype=np.float32)
        if attention_bias is None:
            self._run(bundle.CHAIN_FILE, self._chain, cache, inputs, logits)
        else:
            inputs[bundle.SEQLENS_K] = seqlens_k(cache, sequence)
            inputs[bundle.ATTENTION_BIAS] = self._element_type.store(attention_bias)
            self._run(bundle.MODEL_FILE, self._tree_session(), cache, inputs, logits)
        cache.lengths += sequence
        return logits

    def forward_prompts(
        self, prompts: Sequence[Sequence[int]], cache: DeviceCache, check: Callable[[], None]
    ) -> npt.NDArray[np.float32]:
        """Reads a prompt into each row of an empty cache; see `BatchModel`.

        Those of a pass are padded at their ends, where no token of theirs looks, and which the next ones overwrite.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        groups = prompt_groups([len(prompt) for prompt in prompts])
        cache.arrange([row for group in groups for row in group])
        logits = np.empty((len(prompts), self.vocab_size), dtype=np.float32)
        for group in groups:
            check()
            lengths = np.array([len(prompts[row]) for row in group])
            input_ids = np.full((len(group), lengths.max()), PAD_ID, dtype=np.int64)
            for line, row in enumerate(group):
                input_ids[line, : lengths[line]] = prompts[row]
            lasts = np.arange(len(group)) * input_ids.shape[1] + lengths - 1
            logits[group] = self.forward(input_ids, cache.part(group), logits_indices=lasts)
            cache.lengths[group] = lengths
        return logits

    def with_rows(self, cache: DeviceCache, rows: Sequence[int]) -> DeviceCache:
        """A cache of these rows; see `BatchModel`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        return cache.with_rows(rows)

    def forward_selected(self, input_ids: npt.NDArray[np.int64], cache: DeviceCache, count: int) -> Selection:
        """Appends a token to each row, int64 [batch, 1], and selects where the logits are; see `SelectingModel`.

        Raises:
            DeviceMemoryError: the device's memory is full.
        """
        with self._lock:
            step = self._step(input_ids, cache)
            ids, log_probabilities = step.selected(cache.rows, count)

        def all_logits() -> npt.NDArray[np.float32]:
            with self._lock:
                return step.logits(cache.rows)

        return Selection(ids, log_probabilities, all_logits)

    def _step(self, input_ids: npt.NDArray[np.int64], cache: DeviceCache) -> DeviceStep:
        room_needed(cache, 1)
        slab = cache.slab
        with self._lock, device_memory("a step"):
            if slab.step is None:
                slab.step = self._new_step(slab)
            step: DeviceStep = slab.step
            step.run(cache.rows, input_ids[:, 0], cache.lengths)
        self._counters.captured_steps = self.captured_steps + self._captures
        cache.lengths += 1
        return step

    def _new_step(self, slab: DeviceSlab) -> DeviceStep:
        # Here, because it is no moment at which a step of another thread runs.
        release = getattr(self._chain, "release_captured_graph", None)
        for number in self._pool.take_dropped():
            if release is not None:  # older versions keep graphs as long as the session
                release(number)
        binding = self._chain.io_binding()
        self._bind_cache(binding, slab, 0, slab.rows)
        options = self._run_options(str(slab.number)) if self._captures else self._not_captured
        run = partial(self._chain.run_with_iobinding, binding, options)
        return DeviceStep(self._onnxruntime, run, binding, slab, self.device, self.vocab_size, self._selector)

    def _run(
        self,
        file: str,
        session: Any,  # noqa: ANN401 -- ONNX Runtime has no types
        cache: DeviceCache,
        inputs: dict[str, npt.NDArray[Any]],
        logits: npt.NDArray[np.float32],
    ) -> None:
        with self._lock, device_memory(f"a pass over {inputs[bundle.INPUT_IDS].size:,} tokens"):
            binding = cache.bindings.get(file)
            if binding is None:
                binding = cache.bindings[file] = session.io_binding()
                self._bind_cache(binding, cache.slab, _first_row(cache), cache.batch_size)
            # The arrays live as long as `inputs` and `logits` do; ONNX Runtime copies between them and the device.
            for name, array in inputs.items():
                binding.bind_ortvalue_input(name, input_value(self._onnxruntime, self._element_type, name, array))
            binding.bind_ortvalue_output(bundle.LOGITS, self._onnxruntime.OrtValue.ortvalue_from_numpy(logits))
            session.run_with_iobinding(binding, self._not_captured)

    def _bind_cache(self, binding: Any, slab: DeviceSlab, first_row: int, rows: int) -> None:  # noqa: ANN401 -- as above
        # Past and present name the same memory: this is what makes the update happen in place.
        element_type = self._element_type.onnx_type or self._element_type.storage.type
        place = (self._accelerator.name, 0, element_type, slab.part_shape(rows))
        for layer in range(slab.shape[0]):
            for part, name in enumerate(("key", "value")):
                address = slab.address(layer, part, first_row)
                binding.bind_input(bundle.past_name(layer, name), *place, address)
                binding.bind_output(bundle.present_name(layer, name), *place, address)

    def _run_options(self, graph_id: str) -> Any:  # noqa: ANN401 -- as above
        options = self._onnxruntime.RunOptions()
        options.add_run_config_entry(_GRAPH_ID, graph_id)
        return options

    def _open_chain(self, spec: GraphSpec) -> tuple[Any, bool]:
        """A session, and whether its steps are captured."""
        if not self._accelerator.captures:
            return self._open(bundle.CHAIN_FILE, spec, captures=False), False
        try:
            return self._open(bundle.CHAIN_FILE, spec, captures=True), True
        except BundleError as error:
            session = self._open(bundle.CHAIN_FILE, spec, captures=False)
            warnings.warn(f"steps do not run as CUDA graphs, because {error}", RuntimeWarning, stacklevel=2)
            return session, False

    def _tree_session(self) -> Any:  # noqa: ANN401 -- as above
        with self._lock:
            if self._tree is None:
                spec = GraphSpec(self._manifest.inputs, self._manifest.outputs)
                self._tree = self._open(bundle.MODEL_FILE, spec, captures=False)
            return self._tree

    def _open(self, file: str, spec: GraphSpec, *, captures: bool) -> Any:  # noqa: ANN401 -- as above
        path = self._folder / file
        with device_memory(str(path)):
            session = open_session(
                self._onnxruntime,
                path,
                # All but the computation of a shape is done on the device.
                session_options(self._onnxruntime, 1, prepack=True, is_half_on_cpu=False),
                self.provider,
                "check it with `biogpt-onnx info --check`",
                provider_options=dict(self._accelerator.options) | ({"enable_cuda_graph": "1"} if captures else {}),
            )
        check_contract(self._folder, session, spec)
        return session


def _first_row(cache: DeviceCache) -> int:
    first = cache.rows[0]
    if cache.rows != tuple(range(first, first + cache.batch_size)):
        raise ValueError("several tokens are appended to rows that lie side by side, or to one at a time")
    return first
