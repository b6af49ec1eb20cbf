"""Streams of every sequence with its tokens: equal to what `generate` gives, alone and where calls share passes."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BioGPT, ConfigError, Generation, PieceStream, PromptError, TextPiece, TokenLogprob
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.streamed_sequences import StreamedPrompt, StreamedSequence
from biogpt_onnx.runtime.tokenizer import IncrementalDecoder

TEXTS = ["The patient was treated with", "Aspirin", "The aim of this study was to evaluate the effect of"]
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "rules": {"repetition_penalty": 1.6, "min_new_tokens": 8},
    "samples": {"do_sample": True, "seed": [3, 4, 5], "num_return_sequences": 3, "top_p": 0.95},
    "drafts": {"prompt_lookup_num_tokens": 8},
    "stop": {"stop_strings": [" of", "ing a", "e "], "no_repeat_ngram_size": 3},
    "criteria": {"stopping_criteria": lambda _, text: len(text) > 30},
    "allowed": {"allowed": ["yes", "no, never", "maybe"]},
    "end": {"eos_token_id": [2, 8, 5, 9]},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
}


@pytest.fixture(scope="module")
def shared(mini: BioGPT) -> Iterator[BioGPT]:
    with mini.concurrent(max_rows=4) as model:
        yield model


Written = tuple[str, tuple[int, ...], tuple[TokenLogprob, ...] | None, str | None]


def written(pieces: Sequence[TextPiece]) -> dict[int, list[Written]]:
    """The sequences of each prompt, put together from their pieces."""
    by_sequence: dict[tuple[int, int], list[TextPiece]] = defaultdict(list)
    for piece in pieces:
        by_sequence[piece.prompt, piece.sequence].append(piece)
    found: dict[int, list[Written]] = defaultdict(list)
    for (prompt, sequence), own in sorted(by_sequence.items()):
        assert sequence == len(found[prompt])
        assert [piece.finish_reason for piece in own[:-1]] == [None] * (len(own) - 1)
        ids = tuple(token for piece in own for token in piece.token_ids)
        logprobs = None
        if own[0].logprobs is not None:
            logprobs = tuple(token for piece in own for token in piece.logprobs or ())
            assert all(len(piece.logprobs or ()) == len(piece.token_ids) for piece in own)
        times = [time for piece in own for time in piece.token_times]
        assert times == sorted(times)
        assert all(len(piece.token_times) in {len(piece.token_ids), 0} for piece in own)
        found[prompt].append(("".join(piece.text for piece in own), ids, logprobs, own[-1].finish_reason))
    return found


def of_answers(answers: Sequence[Generation | None]) -> dict[int, list[Written]]:
    return {
        index: [(each.text, each.token_ids, each.logprobs, each.finish_reason) for each in answer.sequences]
        for index, answer in enumerate(answers)
        if answer is not None
    }


def in_any_order(found: dict[int, list[Written]]) -> dict[int, list[Written]]:
    """Samples are streamed as they are drawn, and returned by their scores."""
    return {prompt: sorted(sequences, key=lambda one: one[:2]) for prompt, sequences in found.items()}


@pytest.mark.parametrize("logprobs", [0, 2])
@pytest.mark.parametrize("name", SETTINGS)
def test_the_pieces_of_a_sequence_are_what_generate_returns(
    mini: BioGPT, shared: BioGPT, name: str, logprobs: int
) -> None:
    settings = {"max_new_tokens": 16, "logprobs": logprobs, **SETTINGS[name]}
    expected = of_answers(mini.generate(TEXTS, **settings))
    for model in (mini, shared):
        stream = model.stream_pieces(TEXTS, **settings)
        pieces = list(stream)
        assert all(piece.token_times for piece in pieces if piece.token_ids) == (name != "beams")
        found, own = written(pieces), of_answers(stream.generations)
        if name == "samples":
            found, own, expected = in_any_order(found), in_any_order(own), in_any_order(expected)
        assert found == own
        assert comparable(found, name) == comparable(expected, name)


def comparable(found: dict[int, list[Written]], name: str) -> dict[int, list[Written]]:
    """The lengths of drafts depend on time, and log-probabilities, by rounding, on lengths."""
    if name != "drafts":
        return found
    return {prompt: [(text, ids, None, end) for text, ids, _, end in each] for prompt, each in found.items()}


def test_every_pass_gives_a_piece_of_each_sequence(mini: BioGPT) -> None:
    pieces = list(mini.stream_pieces(TEXTS[:2], max_new_tokens=6, eos_token_id=None))
    assert [(piece.prompt, len(piece.token_ids)) for piece in pieces] == [(0, 1), (1, 1)] * 6
    assert [piece.finish_reason for piece in pieces] == [None] * 10 + ["length"] * 2


def test_samples_are_streamed_in_the_order_in_which_they_are_drawn(mini: BioGPT) -> None:
    settings: dict[str, Any] = {"do_sample": True, "seed": 7, "max_new_tokens": 8, "eos_token_id": None}
    found = written(list(mini.stream_pieces(TEXTS[:1], num_return_sequences=3, **settings)))[0]
    assert found[:2] == written(list(mini.stream_pieces(TEXTS[:1], num_return_sequences=2, **settings)))[0]
    assert len({ids for _, ids, *_ in found}) == 3


def test_texts_ids_and_prefixes_may_stand_side_by_side(mini: BioGPT) -> None:
    ids = mini.tokenizer.encode(TEXTS[0])
    prompts: list[Any] = [TEXTS[0], ids, np.array(ids), mini.prefix(TEXTS[0])]
    pieces = list(mini.stream_pieces(prompts, max_new_tokens=5))
    (expected,) = mini.generate_ids([ids], max_new_tokens=5)
    assert [sequences[0][:2] for sequences in written(pieces).values()] == [(expected.text, expected.token_ids)] * 4


def test_a_row_of_ids_is_continued_as_it_is(mini: BioGPT) -> None:
    row = mini.tokenizer.encode(TEXTS[0])[1:]
    stream = mini.stream_pieces([row], max_new_tokens=3)
    found = written(list(stream))[0][0]
    assert found[1] == mini.generate_ids([row], max_new_tokens=3)[0].token_ids
    assert stream.generations[0] is not None
    assert stream.generations[0].usage.prompt_tokens == len(row)


def test_prompts_continue_a_prefix_that_was_read_before(mini: BioGPT) -> None:
    prefix = mini.prefix("The patient was")
    prompts: list[Any] = [TEXTS[0], mini.tokenizer.encode(TEXTS[0])]
    found = written(list(mini.stream_pieces(prompts, prefix=prefix, max_new_tokens=5)))
    text = mini.generate(TEXTS[0], max_new_tokens=5).text
    assert [found[0][0][0], found[1][0][0]] == [text, text]


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ([], "the list of prompts is empty"),
        ("Aspirin", "prompts are of type str"),
        (3, "prompts are of type int"),
        ([2, 3], r"prompts\[0\]: a prompt is of type int: give a text, or a list of token ids"),
        (["Aspirin", None], r"prompts\[1\]: a prompt is of type NoneType"),
        (["Aspirin", []], r"prompts\[1\]: a sequence of token ids is empty"),
        ([[2, 10**6]], "^token id 1000000 is outside the vocabulary"),
        ([[2, "3"]], "token id '3' is not a whole number"),
        (["Aspirin", "a " * 2000], r"prompts\[1\]: a prompt has"),
    ],
)
def test_bad_prompts_are_refused_at_the_call_by_their_index(mini: BioGPT, prompts: Any, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        mini.stream_pieces(prompts)


def test_bad_settings_are_refused_at_the_call(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="top_q is not a setting"):
        mini.stream_pieces(TEXTS, top_q=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="seed holds 2 numbers for 3 prompts"):
        mini.stream_pieces(TEXTS, do_sample=True, seed=[1, 2])
    with pytest.raises(ConfigError, match="prefix was not made by this model"):
        mini.stream_pieces(TEXTS, prefix="The patient")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"give a threading\.Event"):
        mini.stream_pieces(TEXTS, cancel=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}, {"prompt_lookup_num_tokens": 4}])
def test_an_event_ends_every_sequence_with_a_last_piece(mini: BioGPT, shared: BioGPT, settings: dict[str, Any]) -> None:
    for model in (mini, shared):
        cancel = threading.Event()
        cancel.set()
        pieces = list(model.stream_pieces(TEXTS, cancel=cancel, max_new_tokens=50, eos_token_id=None, **settings))
        assert {piece.prompt: piece.finish_reason for piece in pieces} == dict.fromkeys(range(3), "cancelled")


def test_a_prompt_that_is_cancelled_while_it_waits_has_a_generation(mini: BioGPT) -> None:
    long = "The patient was given lithium and had a tremor. " * 20
    with mini.concurrent(max_rows=1) as model:
        cancel = threading.Event()
        cancel.set()
        stream = model.stream_pieces([long], num_beams=2, cancel=cancel)
        assert [piece.finish_reason for piece in stream] == ["cancelled"]
        assert stream.generations[0] is not None


def test_closing_keeps_what_there_is(mini: BioGPT) -> None:
    with mini.stream_pieces(TEXTS, max_new_tokens=30, eos_token_id=None) as stream:
        for _ in range(6):
            next(stream)
    assert list(stream) == []
    assert [generation.finish_reason for generation in stream.generations if generation] == ["cancelled"] * 3


def test_a_stream_that_failed_raises_each_time(mini: BioGPT, shared: BioGPT) -> None:
    def fail(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return logits[:3] if len(ids) > 12 else logits

    for model in (mini, shared):
        stream = model.stream_pieces(TEXTS, logits_processors=fail, max_new_tokens=20, eos_token_id=None)
        with pytest.raises(ConfigError, match="logits_processors"):
            list(stream)
        for _ in range(2):
            with pytest.raises(ConfigError, match="logits_processors"):
                next(stream)
        with pytest.raises(ConfigError, match="logits_processors"):
            _ = stream.generations


def test_streams_of_many_threads_are_those_of_each_alone(mini: BioGPT, shared: BioGPT) -> None:
    def read(model: BioGPT, number: int) -> dict[int, list[Written]]:
        settings = SETTINGS[[name for name in SETTINGS if name != "drafts"][number % (len(SETTINGS) - 1)]]
        found = []
        for piece in model.stream_pieces(TEXTS, max_new_tokens=10, logprobs=number % 2, **settings):
            found.append(piece)
            time.sleep(0.001 * (number % 3))  # a slow reader finds several tokens
        return written(found)

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda number: read(shared, number), range(12)))
    assert together == [read(mini, number) for number in range(12)]


def test_a_piece_is_plain_data_for_json(mini: BioGPT) -> None:
    stream = mini.stream_pieces(TEXTS[:1], max_new_tokens=2, eos_token_id=None)
    assert isinstance(stream, PieceStream)
    first, last = (piece.to_dict() for piece in stream)
    assert set(first) == {"prompt", "sequence", "text", "token_ids", "finish_reason", "token_times"}
    assert (first["finish_reason"], last["finish_reason"]) == (None, "length")


# --- sequences that another thread continues


def sequence_of(mini: BioGPT, *, eos: int, names: bool) -> tuple[SequenceState, StreamedSequence]:
    state = SequenceState((2,), 10, eos_token_id=eos)
    text = ContinuationText(IncrementalDecoder(mini.tokenizer, (2,)))
    return state, StreamedSequence((0, 0), state, text, mini.tokenizer if names else None)


@pytest.mark.parametrize("names", [False, True])
def test_a_token_is_taken_once_all_of_it_is_there(mini: BioGPT, *, names: bool) -> None:
    ids = mini.tokenizer.encode("lithium caused tremor")[1:]
    state, sequence = sequence_of(mini, eos=ids[-1], names=names)
    texts: list[str] = []
    tokens: list[int] = []
    for token in ids:
        state.top_tokens.append(((token, -1.0),))
        state.append(token, -1.0)
        # What the reader may see between two statements of `append`: the end of the sequence is not noted yet.
        reason, state.finish_reason = state.finish_reason, None
        early = sequence.take()
        state.finish_reason = reason
        for piece in (early, sequence.take()):
            if piece is not None:
                texts.append(piece.text)
                tokens += piece.token_ids
    assert tokens == ids
    assert "".join(texts) == mini.tokenizer.decode(ids[:-1])
    assert sequence.take() is None


def test_a_prompt_whose_rows_were_left_by_an_error_has_no_generation(mini: BioGPT) -> None:
    state, sequence = sequence_of(mini, eos=2, names=False)
    request = Request([state], has_ended=True)

    def finish(_: Request) -> Any:
        raise AssertionError("it has not ended")

    prompt = StreamedPrompt(0, request, [sequence], finish)
    assert prompt.take(is_over=False) == []
    assert prompt.generation is None
