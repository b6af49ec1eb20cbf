"""Tokens chosen from the likeliest few are those chosen from all logits."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search
from biogpt_onnx.runtime.errors import ConfigError
from makers.models import SELECTED, DeviceFake, FakeModel

VOCAB = 40


def logits_after(past: list[int], *, steps_of: float = 0.0) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(past).normal(0, 2, VOCAB).astype(np.float32)
    # Coarse logits have many equals.
    return np.round(logits / steps_of).astype(np.float32) * np.float32(steps_of) if steps_of else logits


def continued(model: FakeModel, config: GenerationConfig, rows: int, **more: Any) -> list[SequenceState]:
    states = [
        SequenceState((2, 7 + row), 12, random=generators(5, 1)[0] if config.do_sample else None, **more)
        for row in range(rows)
    ]
    for _ in stepwise_search(model.backend, states, NextTokenSelector(config), Limits()):
        pass
    return states


CONFIGS = {
    "greedy": GenerationConfig(),
    "top_k": GenerationConfig(do_sample=True, top_k=5, seed=1),
    "top_k and all that comes after": GenerationConfig(
        do_sample=True, top_k=7, top_p=0.8, min_p=0.02, typical_p=0.9, temperature=1.3, seed=1
    ),
}


@pytest.mark.parametrize("steps_of", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_tokens_and_scores_are_those_from_all_logits(config: GenerationConfig, steps_of: float) -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        return logits_after(past, steps_of=steps_of)

    selecting = DeviceFake(answer, VOCAB)
    ours, theirs = (continued(model, config, 4) for model in (selecting, FakeModel(answer, VOCAB)))
    assert [state.token_ids for state in ours] == [state.token_ids for state in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-5)
    assert selecting.selections > 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_whatever_the_logits(seed: int) -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        return logits_after([seed, *past], steps_of=0.25)

    for config in CONFIGS.values():
        ours, theirs = (continued(kind(answer, VOCAB), config, 2) for kind in (DeviceFake, FakeModel))
        assert [state.token_ids for state in ours] == [state.token_ids for state in theirs]


def test_all_logits_are_brought_only_where_equal_ones_could_decide() -> None:
    fine = DeviceFake(logits_after, VOCAB)
    continued(fine, GenerationConfig(do_sample=True, top_k=5, seed=1), 3)
    assert fine.brought == 0
    flat = DeviceFake(lambda _: np.zeros(VOCAB, dtype=np.float32), VOCAB)
    continued(flat, GenerationConfig(do_sample=True, top_k=5, seed=1), 1)
    assert flat.brought == 12
    (state,) = continued(flat, GenerationConfig(), 1)
    assert (state.token_ids, flat.brought) == ([0] * 12, 12)


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(sequence_bias={(3,): 9.0}),
        GenerationConfig(repetition_penalty=1.2),
        GenerationConfig(presence_penalty=0.5),
        GenerationConfig(no_repeat_ngram_size=1),
        GenerationConfig(bad_words_ids=[[3]]),
        GenerationConfig(min_length=5),
        GenerationConfig(min_new_tokens=3),
        GenerationConfig(forced_bos_token_id=4),
        GenerationConfig(forced_eos_token_id=2),
        GenerationConfig(suppress_tokens=(3,)),
        GenerationConfig(begin_suppress_tokens=(3,)),
        GenerationConfig(logits_processors=lambda _, logits: logits),  # type: ignore[arg-type]
        GenerationConfig(do_sample=True, top_p=0.9, seed=1),
        GenerationConfig(do_sample=True, top_k=SELECTED, seed=1),
    ],
    ids=[
        "a bias",
        "a penalty",
        "a penalty of new tokens",
        "no token twice",
        "a bad word",
        "no ending yet",
        "no ending of new tokens yet",
        "a beginning",
        "an ending",
        "a token that is suppressed",
        "a first token that is suppressed",
        "the caller's own rule",
        "no top_k",
        "a top_k too large",
    ],
)
def test_what_needs_all_logits_is_given_them(config: GenerationConfig) -> None:
    model = DeviceFake(logits_after, VOCAB)
    expected = [state.token_ids for state in continued(FakeModel(logits_after, VOCAB), config, 2)]
    assert [state.token_ids for state in continued(model, config, 2)] == expected
    assert model.selections == 0


@pytest.mark.parametrize(
    "shaping",
    [
        {"temperature": 0.7},
        {"top_p": 0.9},
        {"min_p": 0.1},
        {"typical_p": 0.9},
        {"epsilon_cutoff": 0.01},
        {"eta_cutoff": 0.01},
    ],
    ids=str,
)
def test_what_shapes_the_likeliest_tokens_alone_is_given_no_others(shaping: dict[str, float]) -> None:
    model = DeviceFake(logits_after, VOCAB)
    config = GenerationConfig(do_sample=True, top_k=5, seed=1).replace(**shaping)
    expected = [state.token_ids for state in continued(FakeModel(logits_after, VOCAB), config, 2)]
    assert [state.token_ids for state in continued(model, config, 2)] == expected
    assert model.brought == 0


@given(
    allowed=st.lists(st.one_of(st.none(), st.lists(st.integers(0, VOCAB - 1), min_size=1)), min_size=1, max_size=4),
    steps_of=st.sampled_from([0.0, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_of_sequences_that_keep_to_what_is_allowed_only_that_is_looked_up(
    allowed: list[list[int] | None], steps_of: float
) -> None:
    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        return logits_after(past, steps_of=steps_of)

    found = {}
    for model in (DeviceFake(answer, VOCAB), FakeModel(answer, VOCAB)):
        states = [
            SequenceState(
                (2, 7 + row), 6, eos_token_id=None, allowed=None if tokens is None else partial(_given, tokens)
            )
            for row, tokens in enumerate(allowed)
        ]
        for _ in stepwise_search(model.backend, states, NextTokenSelector(GenerationConfig()), Limits()):
            pass
        found[type(model)] = states
        if isinstance(model, DeviceFake):
            share = sum(len(set(tokens)) for tokens in allowed if tokens is not None) / VOCAB / len(allowed)
            is_little = share <= 1 / 8
            assert (model.brought == 0) == is_little
            assert (model.look_ups > 0) == (is_little and allowed != [None] * len(allowed))
    for mine, other in zip(found[DeviceFake], found[FakeModel], strict=True):
        assert mine.token_ids == other.token_ids
        assert mine.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-5)


def _given(tokens: list[int], _: Sequence[int]) -> list[int]:
    return tokens


def test_a_sample_of_what_is_allowed_is_given_all_logits() -> None:
    model = DeviceFake(logits_after, VOCAB)
    config = GenerationConfig(do_sample=True, top_k=3, seed=1)
    (state,) = continued(model, config, 1, allowed=lambda _: [11, 12])
    assert set(state.token_ids) <= {11, 12}
    assert (model.selections, model.look_ups) == (0, 0)


@pytest.mark.parametrize("model", [DeviceFake(logits_after, VOCAB), FakeModel(logits_after, VOCAB)])
def test_a_token_outside_the_vocabulary_is_never_asked_for(model: FakeModel) -> None:
    with pytest.raises(ConfigError, match="allowed names token 40, outside the vocabulary of 40"):
        continued(model, GenerationConfig(), 1, allowed=lambda _: [11, VOCAB])
