"""Checks that a GPU's memory and captured graphs change no answer: steps, batches, threads, stale and full memory."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.gpu.checks.subject import PROMPTS, Subject, token_ids
from benchmarks.gpu.models import as_model, open_on
from benchmarks.gpu.parts import Found
from biogpt_onnx import BioGPT, DeviceMemoryError, Timings
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.runtime.backends.cuda.session import DeviceSession
from biogpt_onnx.runtime.backends.cuda.token_mover import TokenMover
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

_BATCHES = (1, 2, 3, 4, 8, 16)
# Petabytes of the embedded checkpoint's cache.
_TOO_MANY_TOKENS = 2**40
_LONGEST_PROMPT = 32
_MORE_THAN_ARE_KEPT = 6
# NaN in float16 and in bfloat16.
_NOT_A_NUMBER = 0x7FFF


def logits(subject: Subject) -> Found:
    """Compares logits with float32's, for tokens read as a prompt, in two pieces, and step by step."""
    ids = subject.exact.tokenizer.encode(" ".join(evaluation_texts()))[: 40 if subject.dry else 640]
    exact = subject.exact.logits(ids)
    ways = {
        "prompt": subject.ours.logits(ids),
        "prompt in two pieces": _in_two_pieces(subject.session, ids),
        "steps": _in_steps(subject.session, ids),
    }
    found = {name: _differences(values, exact) for name, values in ways.items()}
    return {
        "passed": all(one["largest"] <= subject.nearness.limit for one in found.values()),
        "tokens": len(ids),
        "spread": float(exact.std()),
        "limit_to_spread": subject.nearness.limit,
        "differences_to_spread": found,
    }


def captured_steps(subject: Subject) -> Found:
    """Checks that all steps of one token are replayed from a CUDA graph, also where rows end, but none with drafts."""
    captures = subject.accelerator.captures
    settings: dict[str, dict[str, Any]] = {
        "greedy": {},
        "rows that end early": {"stop_strings": [" of", " the", "."]},
        "top-k samples": {"do_sample": True, "top_k": 20, "seed": 3},
        "5 beams": {"num_beams": 5},
        "drafts": {"prompt_lookup_num_tokens": 8},
    }
    timings: dict[str, Timings] = {}
    for name, chosen in settings.items():
        timings[name] = subject.write(subject.ours, **chosen)[0].timings
        alone = subject.ours.generate(PROMPTS[0], max_new_tokens=subject.new_tokens, **chosen)
        timings[f"{name}, one prompt"] = alone.timings
    expected = {name: times.steps if captures else 0 for name, times in timings.items() if "drafts" not in name}
    return {
        "passed": all(timings[name].captured_steps == count for name, count in expected.items()),
        "device_captures": captures,
        "steps": {name: times.steps for name, times in timings.items()},
        "captured": {name: times.captured_steps for name, times in timings.items()},
    }


def without_capture(subject: Subject) -> Found:
    """Checks that tokens without CUDA graphs are the same."""
    session = open_on(subject.folder, dataclasses.replace(subject.accelerator, captures=False))
    ours, theirs = (token_ids(subject.write(model)) for model in (subject.ours, as_model(subject.folder, session)))
    return {"passed": ours == theirs, "equal": sum(map(list.__eq__, ours, theirs)), "rows": len(ours)}


def batches(subject: Subject) -> Found:
    """Compares a row's logits in batches of several sizes with those of the row alone, and beside other rows.

    Bit for bit they need not be the same, since a GPU multiplies matrices of other heights by other kernels; it is
    recorded whether they are.
    """
    ids, steps = subject.prompt_ids, 4 if subject.dry else 16
    spread = float(subject.exact.logits(ids[0]).std())
    alone = _row_in_a_batch(subject.session, [ids[0]], steps)
    found = {}
    for size in _BATCHES[: 4 if subject.dry else None]:
        neighbours, others = ([ids[1 + (shift + row) % 7] for row in range(size - 1)] for shift in (0, 3))
        row, beside_others = (_row_in_a_batch(subject.session, [ids[0], *rest], steps) for rest in (neighbours, others))
        found[str(size)] = {
            "bit_equal_to_alone": np.array_equal(row, alone),
            "bit_equal_with_other_neighbours": np.array_equal(row, beside_others),
            "largest_difference_to_spread": float(np.abs(row - alone).max()) / spread,
        }
    largest = max(one["largest_difference_to_spread"] for one in found.values())
    return {"passed": largest <= 2 * subject.nearness.limit, "batches": found}


def threads(subject: Subject) -> Found:
    """Compares calls from several threads at once with the same calls one after the other.

    The session is a new one, so that steps are captured while other threads read prompts, search and are answered.
    """
    session = open_on(subject.folder, subject.accelerator)
    model = as_model(subject.folder, session)
    settings: list[dict[str, Any]] = [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 20, "seed": 1}]
    jobs = [(list(PROMPTS[:size]), chosen) for size in (1, 2, 3, 5) for chosen in settings]

    def write(model: BioGPT, job: tuple[list[str], dict[str, Any]]) -> list[list[int]]:
        prompts, chosen = job
        return token_ids(model.generate(prompts, max_new_tokens=subject.new_tokens, **chosen))

    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(partial(write, model), jobs))
    expected = [write(subject.ours, job) for job in jobs]
    return {"passed": found == expected, "calls": len(jobs), "equal": sum(map(list.__eq__, found, expected))}


def old_memory(subject: Subject) -> Found:
    """Checks that answers are the same over stale memory full of NaN."""
    jobs: dict[str, tuple[list[str], int]] = {
        "one prompt": ([PROMPTS[0]], 1),
        "5 beams": ([PROMPTS[0]], 5),
        "8 prompts": (list(PROMPTS), 1),
    }
    found = {}
    for name, (prompts, num_beams) in jobs.items():

        def write(prompts: list[str] = prompts, num_beams: int = num_beams) -> list[list[int]]:
            return token_ids(subject.ours.generate(prompts, max_new_tokens=subject.new_tokens, num_beams=num_beams))

        before = write()
        for rows in {len(prompts), len(prompts) * num_beams}:
            _fill_caches(subject, rows, subject.new_tokens + _LONGEST_PROMPT)
        found[name] = write() == before
    return {"passed": all(found.values()), "same_answers": found}


def memory(subject: Subject) -> Found:
    """Checks that a cache too large for any card is one clear error, and that the model stays usable."""
    before = token_ids(subject.write(subject.ours))
    message = None
    try:
        subject.session.new_cache(1, _TOO_MANY_TOKENS)
    except DeviceMemoryError as error:
        message = str(error)
    after = token_ids(subject.write(subject.ours))
    return {
        "passed": message is not None and "\n" not in message and before == after,
        "message": message,
        "writes_the_same_afterwards": before == after,
    }


STATE_CHECKS: Mapping[str, Callable[[Subject], Found]] = {
    "logits": logits,
    "captured steps": captured_steps,
    "without capture": without_capture,
    "batches": batches,
    "threads": threads,
    "old memory": old_memory,
    "memory": memory,
}


def _in_two_pieces(session: DeviceSession, ids: Sequence[int]) -> npt.NDArray[np.float32]:
    cache, first = session.new_cache(1, len(ids)), len(ids) // 3
    return np.concatenate(
        [
            session.forward(np.array([piece]), cache, logits_indices=np.arange(len(piece)))
            for piece in (ids[:first], ids[first:])
        ]
    )


def _in_steps(session: DeviceSession, ids: Sequence[int]) -> npt.NDArray[np.float32]:
    cache = session.new_cache(1, len(ids))
    return np.concatenate([session.forward(np.array([[token]]), cache) for token in ids])


def _fill_caches(subject: Subject, rows: int, capacity: int) -> None:
    """Fills all pooled caches of this size with NaN, by making more of them than the pool keeps."""
    caches = [subject.session.new_cache(rows, capacity) for _ in range(_MORE_THAN_ARE_KEPT)]
    onnxruntime, device = import_onnxruntime(), subject.accelerator.name
    mover = TokenMover(onnxruntime, subject.accelerator.provider, device, nullcontext())
    for cache in caches:
        blocks, tokens, features = cache.buffer.blocks
        values = np.full((blocks, 1, features), _NOT_A_NUMBER, dtype=np.uint16).view(np.float16)
        source = onnxruntime.OrtValue.ortvalue_from_numpy(values, device, 0)
        indices = np.zeros(tokens, dtype=np.int64)
        mover.move(source.data_ptr(), values.shape, cache.buffer.address(0, 0, 0), indices)


def _differences(values: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]) -> Found:
    """Returns the largest difference of two logits and the root mean square, as shares of the exact ones' spread."""
    apart = (values - exact).astype(np.float64)
    spread = float(exact.std())
    return {
        "largest": float(np.abs(apart).max()) / spread,
        "root_mean_square": float((apart**2).mean() ** 0.5) / spread,
    }


def _row_in_a_batch(session: DeviceSession, prompts: Sequence[Sequence[int]], steps: int) -> npt.NDArray[np.float32]:
    """Returns the first row's logits after its prompt and after each of so many steps, [1 + steps, vocab].

    Each row is given its own prompt over again, so that what is read does not depend on what is computed.
    """
    cache = session.new_cache(len(prompts), max(map(len, prompts)) + steps)
    found = [session.forward_prompts(prompts, cache, lambda: None)[:1].logits()]
    for step in range(steps):
        tokens = np.array([[prompt[step % len(prompt)]] for prompt in prompts])
        found.append(session.forward(tokens, cache)[:1])
    return np.concatenate(found)
