"""Passes that drafts and choices take on a GPU: as they are made, and as they might be, in turns."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cuda.cache import DeviceCache
from biogpt_onnx.runtime.backends.cuda.continuations import continuation_log_probabilities_in_rows
from biogpt_onnx.runtime.backends.cuda.outputs import PassOutputs
from biogpt_onnx.runtime.backends.cuda.session import Accelerator, DeviceSession
from biogpt_onnx.runtime.ort.providers import import_onnxruntime
from gpu_models import open_on
from gpu_parts import Clock, Found, attempt
from gpu_speed import Sizes, median_of, random_prompts

_DRAFT_TOKENS = 9
_CHOICES, _CHOICE_TOKENS = (3, 11), 4
_GRAPH_NUMBER = 1_000_000
"""Larger than that of any buffer."""


def measure(found: Found, folder: Path, accelerator: Accelerator, sizes: Sizes, clock: Clock) -> None:
    """Measures a draft and choices.

    Args:
        found: takes what is measured; times are in seconds.
        folder: the bundle.
        accelerator: the device.
        sizes: what is measured.
        clock: what is left of the run.
    """
    session = open_on(folder, accelerator)
    found["draft"] = attempt(lambda: _draft(session, sizes, clock))
    found["choices"] = {
        str(count): attempt(lambda count=count: _choices(session, count, sizes, clock))  # type: ignore[misc]
        for count in _CHOICES
    }
    # In a session of its own and at the end: whether such a pass can be captured is not known.
    found["captured_draft"] = attempt(lambda: _captured_draft(open_on(folder, accelerator), sizes, clock))


def _draft(session: DeviceSession, sizes: Sizes, clock: Clock) -> Found:
    """A pass over a draft and the token before it, and as many steps."""
    cache, tokens = _prompt_and_draft(session, sizes)

    def steps() -> None:
        cache.truncate(sizes.prompt)
        for token in tokens:
            session.step(np.array([[token]]), cache).top_tokens(1)

    ways = {"pass": lambda: _pass(session, cache, tokens, sizes), "steps": steps}
    return {"tokens": _DRAFT_TOKENS} | _in_turns(ways, sizes, clock)


def _captured_draft(session: DeviceSession, sizes: Sizes, clock: Clock) -> Found:
    """The same pass, and as a CUDA graph over fixed memory, which a draft of fixed length could be."""
    cache, tokens = _prompt_and_draft(session, sizes)
    captured = _CapturedPass(session, cache)
    ways: dict[str, Callable[[], npt.NDArray[np.int64]]] = {
        "pass": lambda: _pass(session, cache, tokens, sizes),
        "captured_pass": lambda: captured.run(tokens, sizes.prompt),
    }
    times = _in_turns(ways, sizes, clock)
    same = np.array_equal(ways["pass"](), ways["captured_pass"]())
    return {"tokens": _DRAFT_TOKENS, "same_tokens": same} | times


def _choices(session: DeviceSession, count: int, sizes: Sizes, clock: Clock) -> Found:
    """So many choices behind a prompt that is read once more for each, and behind one that is read once.

    Then they are read one after the other, or each in a copy of the prompt's row, token by token. Their last tokens are
    not read.
    """
    prompt, *choices = random_prompts(1 + count, sizes.prompt, session.vocab_size)
    choices = [choice[-_CHOICE_TOKENS:] for choice in choices]

    def prompt_read() -> DeviceCache:
        cache = session.new_cache(1, sizes.prompt + _CHOICE_TOKENS)
        session.forward_prompts([prompt], cache, lambda: None)
        return cache

    def one_after_the_other() -> None:
        cache = prompt_read()
        for choice in choices:
            cache.truncate(sizes.prompt)
            session.forward_row(choice[:-1], cache).top_tokens(1)

    def steps_in_copies() -> None:
        cache = session.with_rows(prompt_read(), [0] * count)
        for tokens in np.array(choices)[:, :-1].T:
            session.step(tokens[:, None], cache).top_tokens(1)

    ways: dict[str, Callable[[], object]] = {
        "rows": lambda: continuation_log_probabilities_in_rows(session, [prompt], choices),
        "one_after_the_other": one_after_the_other,
        "steps_in_copies": steps_in_copies,
    }
    return {"tokens": _CHOICE_TOKENS} | _in_turns(ways, sizes, clock)


class _CapturedPass:
    """A pass over a draft in one row, bound once and for all, and captured where the device can."""

    def __init__(self, session: DeviceSession, cache: DeviceCache) -> None:
        ort_value, device = import_onnxruntime().OrtValue, session.device
        shape = (1, _DRAFT_TOKENS)
        self._session, self._binding = session, session._causal.io_binding()  # noqa: SLF001 -- what it might do
        session._bind_cache(self._binding, cache.buffer, cache.rows[0], 1)  # noqa: SLF001 -- likewise
        self._outputs = PassOutputs(session._tools, _DRAFT_TOKENS)  # noqa: SLF001 -- likewise
        self._outputs.bind(self._binding)
        self._values = {
            bundle.INPUT_IDS: ort_value.ortvalue_from_numpy(np.zeros(shape, dtype=np.int64), device, 0),
            bundle.POSITION_IDS: ort_value.ortvalue_from_numpy(np.zeros(shape, dtype=np.int64), device, 0),
            bundle.LOGITS_INDICES: ort_value.ortvalue_from_numpy(np.arange(_DRAFT_TOKENS), device, 0),
            bundle.TOTAL_SEQUENCE_LENGTH: ort_value.ortvalue_from_numpy(
                np.array(cache.buffer.capacity, dtype=np.int32)
            ),
        }
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)
        number = str(_GRAPH_NUMBER) if session._captures else "-1"  # noqa: SLF001 -- likewise
        self._options = session._run_options(number)  # noqa: SLF001 -- likewise

    def run(self, tokens: list[int], start: int) -> npt.NDArray[np.int64]:
        """The likeliest token after each of the tokens, which follow so many, [tokens, 1]."""
        self._values[bundle.INPUT_IDS].update_inplace(np.array([tokens], dtype=np.int64))
        self._values[bundle.POSITION_IDS].update_inplace(start + np.arange(_DRAFT_TOKENS)[None])
        self._session._causal.run_with_iobinding(self._binding, self._options)  # noqa: SLF001 -- likewise
        return self._outputs.read_best(np.arange(_DRAFT_TOKENS))[0]


def _prompt_and_draft(session: DeviceSession, sizes: Sizes) -> tuple[DeviceCache, list[int]]:
    (prompt,) = random_prompts(1, sizes.prompt, session.vocab_size)
    cache = session.new_cache(1, sizes.prompt + _DRAFT_TOKENS)
    session.forward(np.array([prompt]), cache)
    return cache, prompt[:_DRAFT_TOKENS]


def _pass(session: DeviceSession, cache: DeviceCache, tokens: list[int], sizes: Sizes) -> npt.NDArray[np.int64]:
    cache.truncate(sizes.prompt)
    return session.forward_row(tokens, cache).top_tokens(1)[0]


def _in_turns(ways: Mapping[str, Callable[[], object]], sizes: Sizes, clock: Clock) -> Found:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(sizes.peer_steps + 1):
        for name, way in ways.items():
            clock.check()
            start = perf_counter()
            way()
            if number:  # the first warms up
                samples[name].append(perf_counter() - start)
    return {name: median_of(values) for name, values in samples.items()}
