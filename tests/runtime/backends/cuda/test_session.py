"""The runtime for GPUs, as far as it can be shown without one: all but the kernels and the replay itself."""

import dataclasses
import gc
import itertools
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, BundleError, ConfigError, DeviceMemoryError, ModelClosedError, tasks
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.cuda import prompt_groups as prompt_groups_module
from biogpt_onnx.runtime.backends.cuda import session as device_session_module
from biogpt_onnx.runtime.backends.cuda.outputs import PassOutputs
from biogpt_onnx.runtime.backends.cuda.session import CUDA_DEVICE, Accelerator, DeviceSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.drafting.budget import DraftBudget
from biogpt_onnx.runtime.ort import sessions as opening
from makers.devices import STAND_IN, CapturingSession, FullMemory, device_model, device_session

# Texts of the embedded checkpoint in which rounding to half precision decides between no two tokens.
PROMPTS = ["Aspirin inhibits", "Patients with diabetes", "Lithium", "Treatment with", "Insulin"]
ABSTRACT = "Aspirin inhibits platelets."


@pytest.fixture(scope="module")
def fp16(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint for GPUs. Tests must not change it."""
    target = tmp_path_factory.mktemp("device") / "fp16"
    quantize_bundle(mini_bundle, target, RECIPES["fp16"])
    return target


@pytest.fixture(scope="module")
def session(fp16: Path) -> DeviceSession:
    return device_session(fp16)


@pytest.fixture(scope="module")
def on_device(fp16: Path, session: DeviceSession) -> BioGPT:
    return device_model(fp16, session)


@pytest.fixture(scope="module")
def on_cpu(fp16: Path) -> BioGPT:
    return biogpt_onnx.load(fp16, device="cpu")


@pytest.fixture
def all_logits_brought(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An element for each time that logits were brought to the CPU."""
    brought: list[int] = []
    read_logits = PassOutputs.read_logits

    def counted(outputs: PassOutputs, *rows: Any) -> Any:
        brought.append(1)
        return read_logits(outputs, *rows)

    monkeypatch.setattr(PassOutputs, "read_logits", counted)
    return brought


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what is read, steps of one token apart."""
    shapes: list[tuple[int, ...]] = []
    read = DeviceSession._pass

    def counted(model: DeviceSession, input_ids: Any, *given: Any) -> Any:
        shapes.append(input_ids.shape)
        return read(model, input_ids, *given)

    monkeypatch.setattr(DeviceSession, "_pass", counted)
    return shapes


SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 4},
    "several beams": {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 0.5},
    "samples of the likeliest": {"do_sample": True, "top_k": 20, "seed": 3},
    "drafts": {"prompt_lookup_num_tokens": 8},
    "rules": {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3, "min_new_tokens": 20},
    "rows that end early": {"stop_strings": ["a", "the"]},
    "one token": {"max_new_tokens": 1},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_writes_the_tokens_of_the_cpu(on_device: BioGPT, on_cpu: BioGPT, settings: dict[str, Any]) -> None:
    ours, theirs = (model.generate(PROMPTS, **{"max_new_tokens": 40} | settings) for model in (on_device, on_cpu))
    for mine, other in zip(ours, theirs, strict=True):
        assert [one.token_ids for one in mine.sequences] == [one.token_ids for one in other.sequences]
        assert mine.finish_reason == other.finish_reason
        assert mine.score == pytest.approx(other.score, abs=0.05)


def test_a_sample_that_is_all_but_certain_is_the_greedy_text_in_every_copied_row(on_device: BioGPT) -> None:
    (answer,) = on_device.generate(
        PROMPTS[:1], max_new_tokens=30, do_sample=True, temperature=1e-4, num_return_sequences=3, seed=1
    )
    greedy = on_device.generate(PROMPTS[0], max_new_tokens=30).token_ids
    assert [one.token_ids for one in answer.sequences] == [greedy] * 3


def test_many_dead_beams_are_moved_out_of_the_way(on_device: BioGPT, on_cpu: BioGPT) -> None:
    ours, theirs = (model.generate(PROMPTS[1], max_new_tokens=150, num_beams=6) for model in (on_device, on_cpu))
    assert ours.token_ids == theirs.token_ids


def test_choices_scores_and_logits_are_those_of_the_cpu(on_device: BioGPT, on_cpu: BioGPT) -> None:
    texts = ["aspirin", "no effect", "no"]
    for ours, theirs in zip(*(model.choose(PROMPTS[0], texts).choices for model in (on_device, on_cpu)), strict=True):
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=0.01)
    ours_score, theirs_score = (model.score(ABSTRACT, prompt="Drugs.").total for model in (on_device, on_cpu))
    assert ours_score == pytest.approx(theirs_score, abs=0.02)
    ids = [2, *range(500, 540)]
    assert np.abs(on_device.logits(ids) - on_cpu.logits(ids)).max() < 0.02


def test_a_prefix_is_continued_any_number_of_times_alone_and_in_batches(on_device: BioGPT, on_cpu: BioGPT) -> None:
    prefix, other = (model.prefix(ABSTRACT) for model in (on_device, on_cpu))
    prompts = [f"{ABSTRACT} {rest}" for rest in ("The drug", "In vitro", "It")]
    for asked in (prompts, prompts[:1], prompts):
        ours = on_device.generate(asked, prefix=prefix, max_new_tokens=12)
        theirs = on_cpu.generate(asked, prefix=other, max_new_tokens=12)
        assert [answer.token_ids for answer in ours] == [answer.token_ids for answer in theirs]
    first, second = (on_device.choose(prefix, ["yes", "no"]).best.log_probability for _ in range(2))
    assert first == second


def test_a_prefix_may_be_continued_while_another_continuation_is_open(on_device: BioGPT, on_cpu: BioGPT) -> None:
    prefix = on_device.prefix(ABSTRACT)
    prompts = [f"{ABSTRACT} {rest}" for rest in ("The drug", "In vitro")]
    streams = [on_device.stream(prompt, prefix=prefix, max_new_tokens=10) for prompt in prompts]
    # By turns: the second has to copy the prefix, in whose memory the first goes on.
    pieces: list[list[str]] = [[] for _ in prompts]
    for turn in itertools.zip_longest(*streams):
        for written, piece in zip(pieces, turn, strict=True):
            written.append(piece or "")
    assert ["".join(written) for written in pieces] == [
        on_cpu.generate(prompt, max_new_tokens=10).text for prompt in prompts
    ]


def test_a_model_on_a_gpu_shares_no_passes(on_device: BioGPT) -> None:
    with pytest.raises(ConfigError, match="passes are shared on the CPU only so far, the device is cuda"):
        on_device.concurrent(2)


def test_the_tasks_answer_as_on_the_cpu(fp16: Path, session: DeviceSession, on_cpu: BioGPT) -> None:
    on_gpu = device_model(fp16, session)
    texts = [f"Of {number} patients two got better after lithium, and {number} had tremor." for number in (3, 4, 9)]
    ours, theirs = (tasks.run(tasks.BC5CDR, model, texts) for model in (on_gpu, on_cpu))
    assert [found.text for found in ours] == [found.text for found in theirs]
    asked = [tasks.Document(text, question="Does lithium help?") for text in texts]
    answers, expected = (tasks.run(tasks.PUBMEDQA, model, asked) for model in (on_gpu, on_cpu))
    for answer, right in zip(answers, expected, strict=True):
        assert answer.label == right.label
        assert answer.probabilities == pytest.approx(right.probabilities, abs=0.01)


def test_a_stream_says_what_generate_says(on_device: BioGPT) -> None:
    assert "".join(on_device.stream(PROMPTS[0], max_new_tokens=20)) == on_device.generate(
        PROMPTS[0], max_new_tokens=20
    ).text  # fmt: skip


def test_greedy_steps_and_samples_of_the_likeliest_bring_no_logits_and_rules_do(
    on_device: BioGPT, all_logits_brought: list[int]
) -> None:
    on_device.generate(PROMPTS, max_new_tokens=20)
    on_device.generate(PROMPTS, max_new_tokens=20, do_sample=True, top_k=50, seed=1)
    # Only where the last of the likeliest has an equal are all brought, which half-precision logits seldom have.
    assert len(all_logits_brought) <= 2
    before = len(all_logits_brought)
    on_device.generate(PROMPTS[:1], max_new_tokens=20, repetition_penalty=1.1)
    assert len(all_logits_brought) == before + 20


def test_choices_scores_drafts_beams_and_what_is_allowed_bring_no_logits(
    on_device: BioGPT, all_logits_brought: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long drafts are depends on the clock: here always as long as they may be.
    monkeypatch.setattr(DraftBudget, "allowance", lambda *_: 5)
    on_device.choose(PROMPTS, ["aspirin", "no effect"])
    on_device.score(ABSTRACT, prompt="Drugs.")
    assert not all_logits_brought
    text = f"{PROMPTS[0]}{on_device.generate(PROMPTS[0], max_new_tokens=30).text}. {PROMPTS[0]}"
    timings = on_device.generate(text, max_new_tokens=30, prompt_lookup_num_tokens=5).timings
    assert timings.steps < 29
    on_device.generate(PROMPTS, max_new_tokens=8, num_beams=3)
    on_device.generate(PROMPTS, allowed=["aspirin", "no effect"])
    on_device.generate(PROMPTS, allowed=["aspirin", "no effect"], num_beams=2)
    assert not all_logits_brought


def test_choices_of_several_prompts_are_read_together_and_are_those_of_each_alone(
    on_device: BioGPT, on_cpu: BioGPT, passes: list[tuple[int, ...]]
) -> None:
    texts = ["aspirin", "no effect", "no", "not known"]
    together = on_device.choose(PROMPTS, texts, ends=True)
    # "no" is on the way to "no effect", and so needs no row of its own.
    assert [rows for rows, _ in passes] == [len(PROMPTS) * 3]
    for found, prompt, expected in zip(together, PROMPTS, on_cpu.choose(PROMPTS, texts, ends=True), strict=True):
        for other in (expected, on_device.choose(prompt, texts, ends=True)):
            ours, theirs = ({choice.text: choice.log_probability for choice in one.choices} for one in (found, other))
            assert ours == pytest.approx(theirs, abs=0.02)


def test_what_is_too_much_for_one_pass_is_scored_in_several(
    session: DeviceSession, passes: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = [[2, 50, 60], [2, *range(500, 520)], [2], [2, 70, 90, 100], [2, *range(100, 119)]]
    asked = np.array([(1, 20, 7), (0, 2, 5), (3, 0, 70), (1, 3, 9), (4, 19, 8), (0, 2, 6), (2, 0, 4)])
    at_once = session.log_probabilities(sequences, asked)
    monkeypatch.setattr(device_session_module, "_TOKENS_SCORED_AT_ONCE", 45)
    assert passes == [(5, 21)]
    np.testing.assert_allclose(session.log_probabilities(sequences, asked), at_once, atol=0.01)
    assert passes[1:] == [(2, 21), (3, 4)]
    for score, (number, place, token) in zip(at_once, asked.tolist(), strict=True):
        logits = session.forward(np.array([sequences[number][: place + 1]]), session.new_cache(1, 32))[0]
        assert score == pytest.approx(logits[token] - np.log(np.exp(logits.astype(np.float64)).sum()), abs=0.02)


def test_rows_of_several_passes_are_one_batch(session: DeviceSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_groups_module, "_TOKENS_OF_A_PASS", 20)
    prompts = [[2, 50, 60], [2, *range(500, 540)], [2, 70]]
    following = session.forward_prompts(prompts, session.new_cache(3, 64), lambda: None)
    logits = following.logits()
    exact = logits - np.log(np.exp(logits.astype(np.float64)).sum(axis=-1, keepdims=True))
    order = np.argsort(-logits, axis=-1, kind="stable")
    for count, expected in ((1, 1), (5, 64)):
        top = following.top_tokens(count)
        assert top is not None
        ids, log_probabilities = top
        assert np.array_equal(ids, order[:, :expected])
        np.testing.assert_allclose(log_probabilities, np.take_along_axis(exact, ids, axis=-1), atol=1e-4)
    rows, tokens = np.array([2, 0, 1, 1, 0]), np.array([9, 8, 7, 6, 5])
    np.testing.assert_allclose(following.log_probabilities(rows, tokens), exact[rows, tokens], atol=1e-4)
    last_two = following[1:]
    assert np.array_equal(last_two.logits(), logits[1:])
    top = last_two.top_tokens(5)
    assert top is not None
    assert np.array_equal(top[0], order[1:, :64])
    assert following.top_tokens(65) is None
    np.testing.assert_allclose(last_two.log_probabilities(np.array([1]), np.array([4])), exact[2, 4], atol=1e-4)


def test_what_was_selected_before_a_step_is_not_taken_for_what_is_likely_after_it(session: DeviceSession) -> None:
    cache = session.new_cache(1, 16)
    session.forward(np.array([[2, 50, 60]]), cache)
    for token in (7, 8, 9):
        following = session.step(np.array([[token]]), cache)
        top = following.top_tokens(2)
        assert top is not None
        assert top[0][0, 0] == following.logits()[0].argmax()


def test_one_graph_does_all(fp16: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_session(onnxruntime: Any, path: Path, *given: Any, **more: Any) -> Any:
        opened.append(path.name)
        return opening.open_session(onnxruntime, path, *given, **more)

    monkeypatch.setattr(device_session_module, "open_session", open_session)
    model = device_model(fp16, device_session(fp16))
    for settings in SETTINGS.values():
        model.generate(PROMPTS[:2], **{"max_new_tokens": 24} | settings)
    model.choose(model.prefix(ABSTRACT), ["yes", "no effect"])
    assert opened == ["causal.onnx"]


def test_calls_from_several_threads_answer_as_one_after_the_other(on_device: BioGPT) -> None:
    expected = [on_device.generate(prompt, max_new_tokens=24).token_ids for prompt in PROMPTS]
    found: dict[int, tuple[int, ...]] = {}

    def answer(number: int) -> None:
        found[number] = on_device.generate(PROMPTS[number], max_new_tokens=24).token_ids

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(len(PROMPTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(PROMPTS))] == expected


@pytest.fixture
def capturing(fp16: Path) -> tuple[BioGPT, CapturingSession]:
    """A model whose steps would be captured, held to what that demands."""
    session = device_session(fp16)
    session._captures = True
    causal = CapturingSession(session._causal)
    session._causal = causal  # type: ignore[assignment]
    return device_model(fp16, session), causal


def test_every_greedy_step_replays_what_was_captured_and_prompts_are_not_captured(
    capturing: tuple[BioGPT, CapturingSession],
) -> None:
    model, causal = capturing
    answer = model.generate(PROMPTS[0], max_new_tokens=20)
    assert causal.runs == ["-1", *["1"] * 19]
    assert (answer.timings.steps, answer.timings.captured_steps) == (19, 19)


def test_so_do_steps_that_bring_all_logits_whatever_rows_are_left(capturing: tuple[BioGPT, CapturingSession]) -> None:
    model, causal = capturing
    answers = model.generate(PROMPTS, max_new_tokens=20, repetition_penalty=1.3, stop_strings=["e", "a"])
    assert len({len(answer.token_ids) for answer in answers}) > 1
    assert answers[0].timings.captured_steps == answers[0].timings.steps == causal.runs.count("1") > 0


def test_a_row_that_is_read_leaves_its_neighbours_as_they_are(session: DeviceSession) -> None:
    cache = session.new_cache(2, 32)
    session.forward(np.array([[2, 50, 60]]), cache.row(0))
    before = cache.values(0, 0)
    # A prompt of one token has the form of a step, which would be one of all rows.
    session.forward(np.array([[2]]), cache.row(1))
    assert np.array_equal(cache.values(0, 0), before)


def test_a_later_generation_replays_the_graph_of_an_earlier_one(capturing: tuple[BioGPT, CapturingSession]) -> None:
    model, causal = capturing
    for prompt in PROMPTS:
        model.generate(prompt, max_new_tokens=20)
        model.generate(prompt, max_new_tokens=30, do_sample=True, top_k=10, seed=1)
    assert set(causal.runs) == {"-1", "1"}


def test_another_size_is_another_graph_and_the_first_is_still_good(capturing: tuple[BioGPT, CapturingSession]) -> None:
    model, causal = capturing
    alone = model.generate(PROMPTS[0], max_new_tokens=20).token_ids
    together = model.generate(PROMPTS, max_new_tokens=20)
    longer = model.generate(PROMPTS[0], max_new_tokens=260).token_ids
    again = model.generate(PROMPTS[0], max_new_tokens=20).token_ids
    assert set(causal.runs) == {"-1", "1", "2", "3"}
    assert together[0].token_ids == alone == again == longer[:20]


def test_graphs_over_memory_that_is_given_up_are_given_up_too(capturing: tuple[BioGPT, CapturingSession]) -> None:
    model, causal = capturing
    sizes = [(rows, tokens) for tokens in (20, 300) for rows in (1, 2, 4)]
    for rows, tokens in [*sizes, sizes[0]]:
        model.generate(PROMPTS[:rows], max_new_tokens=tokens, stop_strings=["a"])
    assert causal.released == [1, 2]


def test_memory_over_which_there_was_no_step_has_no_graph_to_give_up(
    capturing: tuple[BioGPT, CapturingSession],
) -> None:
    model, causal = capturing
    for rows in (1, 2, 4):
        for tokens in (6, 300):
            # Prompts are read into one piece of memory, and beams step over two others.
            model.generate(PROMPTS[:rows], max_new_tokens=tokens, num_beams=3, stop_strings=["a"], early_stopping=True)
    stepped = {int(number) for number in causal.runs if number != "-1"}
    assert causal.released
    assert set(causal.released) <= stepped < set(range(1, max(stepped) + 1))


def test_beams_replay_two_graphs_in_turns(
    capturing: tuple[BioGPT, CapturingSession],
) -> None:
    model, causal = capturing
    for _ in range(2):
        timings = model.generate(PROMPTS[:2], max_new_tokens=24, num_beams=3)[0].timings
        assert (timings.steps, timings.captured_steps) == (23, 23)
    # The first is that of the prompts alone, over which there was no step.
    assert set(causal.runs) == {"-1", "2", "3"}


def test_drafts_say_that_they_are_not_captured(
    capturing: tuple[BioGPT, CapturingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DraftBudget, "allowance", lambda *_: 5)
    model, causal = capturing
    timings = model.generate(f"{PROMPTS[0]} {PROMPTS[0]}", max_new_tokens=30, prompt_lookup_num_tokens=5).timings
    assert 0 < timings.captured_steps < timings.steps
    assert timings.captured_steps == len([number for number in causal.runs if number != "-1"])


def test_a_version_that_cannot_capture_the_graph_runs_it_uncaptured(
    fp16: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_session(*given: Any, provider_options: dict[str, str]) -> Any:
        opened.append(provider_options)
        if "enable_cuda_graph" in provider_options:
            raise BundleError("this session cannot use the graph capture feature")
        return opening.open_session(*given, provider_options=provider_options)

    monkeypatch.setattr(device_session_module, "open_session", open_session)
    with pytest.warns(RuntimeWarning, match="do not run as CUDA graphs, because this session cannot use the graph"):
        session = device_session(fp16, dataclasses.replace(STAND_IN, captures=True))
    timings = device_model(fp16, session).generate(PROMPTS[0], max_new_tokens=4).timings
    assert opened == [{"enable_cuda_graph": "1"}, {}]
    assert (timings.steps, timings.captured_steps) == (3, 0)


class HeldLock:
    """A lock that knows whether this thread holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        self._lock.release()


def test_nothing_uses_the_device_while_another_thread_may_capture(fp16: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, lock = device_session(fp16), HeldLock()
    session._lock = session._pool._device_lock = session._mover._lock = lock  # type: ignore[assignment]
    used = []

    def watched(name: str, real: Any) -> Any:
        def use(*given: Any, **more: Any) -> Any:
            used.append(name)
            assert lock.depth > 0, f"{name} without the lock"
            return real(*given, **more)

        return use

    for owner, names in (
        (onnxruntime.OrtValue, ("numpy", "update_inplace", "ortvalue_from_shape_and_type")),
        (onnxruntime.InferenceSession, ("run_with_iobinding",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, watched(name, getattr(owner, name)))
    model = device_model(fp16, session)
    model.generate(PROMPTS, max_new_tokens=4, do_sample=True, top_k=5, seed=1, num_return_sequences=2)
    model.generate(PROMPTS, max_new_tokens=4, repetition_penalty=1.2)
    model.generate(PROMPTS[0], max_new_tokens=100, num_beams=4)
    model.generate(f"{ABSTRACT} It", prefix=model.prefix(ABSTRACT), max_new_tokens=4)
    for penalty in (1.0, 1.01):
        model.generate(
            f"{ABSTRACT} {ABSTRACT}", prompt_lookup_num_tokens=5, max_new_tokens=20, repetition_penalty=penalty
        )
    model.choose(PROMPTS, ["yes", "no effect"])
    model.generate(PROMPTS, allowed=["yes", "no effect"])
    assert set(used) == {"numpy", "update_inplace", "ortvalue_from_shape_and_type", "run_with_iobinding"}


def test_a_full_memory_is_one_clear_error_and_the_model_stays_usable(fp16: Path) -> None:
    architecture = read_manifest(fp16).architecture
    room_for_256 = 2 * architecture.num_layers * architecture.hidden_size * 256
    session = DeviceSession(FullMemory(room_for_256), fp16, read_manifest(fp16), STAND_IN)  # type: ignore[arg-type]
    model = device_model(fp16, session)
    expected = model.generate(PROMPTS[0], max_new_tokens=8).token_ids
    with pytest.raises(DeviceMemoryError, match=r"a cache of 0\.0 GB for 1 rows of 512 tokens does not fit") as caught:
        model.generate(PROMPTS[0], max_new_tokens=300)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, MemoryError)
    assert model.generate(PROMPTS[0], max_new_tokens=8).token_ids == expected


def test_prompts_that_do_not_fit_in_the_memory_together_are_continued_in_turn(fp16: Path) -> None:
    architecture = read_manifest(fp16).architecture
    room_for_512 = 2 * architecture.num_layers * architecture.hidden_size * 512
    session = DeviceSession(FullMemory(room_for_512), fp16, read_manifest(fp16), STAND_IN)  # type: ignore[arg-type]
    found = device_model(fp16, session).generate(PROMPTS, max_new_tokens=8)
    expected = device_model(fp16, device_session(fp16)).generate(PROMPTS, max_new_tokens=8)
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]


def test_memory_that_is_kept_for_later_makes_room_for_what_is_needed_now(fp16: Path) -> None:
    session = device_session(fp16)
    runtime = FullMemory(10**12)
    session._pool._onnxruntime = runtime  # type: ignore[assignment]
    kept = session.new_cache(1, 100)
    del kept
    assert len(session._pool._idle) == 1
    refused: list[list[int]] = []

    def once(shape: list[int], *rest: Any) -> Any:
        if not refused:
            refused.append(shape)
            raise RuntimeError("CUDA failure 2: out of memory")
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, *rest)

    runtime.ortvalue_from_shape_and_type = once  # type: ignore[method-assign]
    cache = session.new_cache(4, 100)
    assert cache.buffer.rows == 4
    assert (len(refused), len(session._pool._idle)) == (1, 0)


def test_other_errors_of_a_pass_are_not_taken_for_a_full_memory(session: DeviceSession) -> None:
    cache = session.new_cache(1, 16)
    with pytest.raises(Exception, match="indices element out of data bounds"):
        session.forward(np.array([[2, 10**6]]), cache)


def test_prompts_read_together_are_read_as_alone(
    session: DeviceSession, passes: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_groups_module, "_TOKENS_OF_A_PASS", 20)
    prompts = [[2, 50, 60], [2, *range(500, 540)], [2], [2, 70], [2, *range(100, 139)]]
    cache = session.new_cache(5, 64)
    together = session.forward_prompts(prompts, cache, lambda: None).logits()
    assert passes == [(2, 41), (3, 3)]
    assert cache.lengths.tolist() == [3, 41, 1, 2, 40]
    steps = [session.forward(np.full((5, 1), token), cache) for token in (7, 8)]
    for row, prompt in enumerate(prompts):
        alone = session.new_cache(1, 64)
        expected = [session.forward(np.array([ids]), alone)[0] for ids in (prompt, [7], [8])]
        for found, right in zip((together, *steps), expected, strict=True):
            np.testing.assert_allclose(found[row], right, atol=0.01)
        np.testing.assert_allclose(cache.values(1, row), alone.values(1, 0), atol=0.01)


def test_prompts_are_read_no_further_than_a_limit_allows(session: DeviceSession) -> None:
    def over() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        session.forward_prompts([[2, 5]], session.new_cache(1, 8), over)


def test_a_new_cache_holds_zeros_whatever_was_there_before(fp16: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    allocate = onnxruntime.OrtValue.ortvalue_from_shape_and_type

    def with_rubbish(shape: list[int], element_type: Any, *rest: Any) -> Any:
        value = allocate(shape, element_type, *rest)
        if element_type is np.float16:
            value.numpy()[...] = np.nan
            made.append(value)
        return value

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", with_rubbish)
    device_session(fp16).new_cache(3, 300)
    (buffer,) = made
    assert buffer.shape() == [4, 2, 4, 4, 512, 64]
    assert not buffer.numpy().any()


def test_more_tokens_than_a_row_has_room_for_are_refused(session: DeviceSession) -> None:
    cache = session.new_cache(1, 4)
    session.forward(np.array([[2, 5, 6]]), cache)
    session.step(np.array([[7]]), cache)
    with pytest.raises(ValueError, match="the cache holds 4 tokens a row, 5 are needed"):
        session.step(np.array([[7]]), cache)


def test_a_row_that_has_ended_changes_no_other(session: DeviceSession) -> None:
    cache = session.new_cache(3, 32)
    for row, prompt in enumerate(([2, 50, 60], [2, 70], [2, 80, 90, 100])):
        session.forward(np.array([prompt]), cache.row(row))
    whole, kept = session.new_cache(1, 32), cache.keep([0, 2])
    session.forward(np.array([[2, 80, 90, 100]]), whole)
    for token in (7, 8, 9):
        both = session.forward(np.array([[5], [token]]), kept)
        np.testing.assert_allclose(both[1], session.forward(np.array([[token]]), whole)[0], atol=0.01)
    assert kept.lengths.tolist() == [6, 7]


def test_what_a_layer_holds_can_be_looked_at(session: DeviceSession, fp16: Path) -> None:
    cpu = DecoderSession(fp16, read_manifest(fp16))
    ours, theirs = session.new_cache(2, 32), cpu.new_cache(2, 32)
    session.forward(np.array([[2, 80, 90, 100]]), ours.row(1))
    cpu.forward(np.array([[2, 80, 90, 100]]), theirs.row(1))
    assert ours.values(2, 1).shape == (2, 4, 4, 64)
    np.testing.assert_allclose(ours.values(2, 1), theirs.values(2, 1), atol=0.01)
    assert ours.values(0, 0).shape == (2, 4, 0, 64)


def test_a_bundle_without_the_graph_for_gpus_says_how_to_make_it(mini_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"has no causal\.onnx, which runs on GPUs: quantize the float32 bundle anew"):
        device_session(mini_bundle)


def test_the_providers_settings_for_a_gpu() -> None:
    assert isinstance(CUDA_DEVICE, Accelerator)
    assert (CUDA_DEVICE.name, CUDA_DEVICE.provider, CUDA_DEVICE.captures) == ("cuda", "CUDAExecutionProvider", True)
    # cuDNN's attention, which is bit 8, makes a plan for each length of a prompt.
    assert int(dict(CUDA_DEVICE.options)["sdpa_kernel"]) & 8 == 0


def test_the_cpus_session_needs_nothing_of_it(fp16: Path) -> None:
    assert DecoderSession(fp16, read_manifest(fp16)).device == "cpu"


def test_the_most_probable_tokens_are_those_of_all_logits(fp16: Path, on_device: BioGPT) -> None:
    few, many = (on_device.generate(PROMPTS, max_new_tokens=4, logprobs=count) for count in (3, 1000))
    for one, other in zip(few, many, strict=True):
        assert one.logprobs is not None
        assert other.logprobs is not None
        for selected, among_all in zip(one.logprobs, other.logprobs, strict=True):
            values = [token.logprob for token in among_all.top[:3]]
            assert [token.logprob for token in selected.top] == pytest.approx(values, abs=1e-4)
            assert selected.top[0].token_id == selected.token_id
    score = on_device.score(ABSTRACT, logprobs=3)
    assert score.log_probabilities == on_device.score(ABSTRACT).log_probabilities
    expected = biogpt_onnx.load(fp16).score(ABSTRACT, logprobs=3)
    assert score.logprobs is not None
    assert expected.logprobs is not None
    for token, same in zip(score.logprobs, expected.logprobs, strict=True):
        assert (token.token_id, token.span) == (same.token_id, same.span)
        assert token.logprob == pytest.approx(same.logprob, abs=0.05)


def test_beams_have_the_most_probable_tokens_of_a_pass_over_their_text(on_device: BioGPT) -> None:
    answer = on_device.generate(PROMPTS[1], max_new_tokens=5, num_beams=3, logprobs=2)
    scored = on_device.logits([*on_device.tokenizer.encode(PROMPTS[1]), *answer.token_ids[:-1]])
    assert answer.logprobs is not None
    for token, row in zip(answer.logprobs, scored[-len(answer.token_ids) :], strict=True):
        assert {each.token_id for each in token.top} == set(np.argsort(-row)[:2].tolist())


def test_a_closed_session_frees_its_graph_and_its_buffers(fp16: Path) -> None:
    session = device_session(fp16)
    model = device_model(fp16, session)
    model.generate(PROMPTS, max_new_tokens=3)
    stream = model.stream(PROMPTS[0], max_new_tokens=9, eos_token_id=None)
    next(stream)
    graph = weakref.ref(session._causal)
    model.close()
    with pytest.raises(ModelClosedError, match="was closed"):
        next(stream)
    del stream
    gc.collect()
    assert graph() is None
    assert session._pool._idle == {}
    model.close()
