import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends import chunks
from biogpt_onnx.runtime.backends.cpu.trees.continuations import score_with_prompt, score_with_prompts
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from makers.models import FakeModel, RaggedFake

VOCAB = 30
PROMPT = [2, 7]


def random_model() -> FakeModel:
    return FakeModel(
        lambda past: np.random.default_rng(past).normal(0, 2, VOCAB).astype(np.float32), VOCAB, max_positions=500
    )


def one_by_one(sequence: Sequence[int], prompt: Sequence[int] = PROMPT) -> list[float]:
    scores = []
    for at, token in enumerate(sequence):
        logits = np.asarray(random_model().answer([*prompt, *sequence[:at]]), dtype=np.float64)
        scores.append(float(logits[token]) - math.log(np.exp(logits).sum()))
    return scores


def scored(model: FakeModel, sequences: Sequence[Sequence[int]], prompt: Sequence[int] = PROMPT) -> list[list[float]]:
    return score_with_prompt(model, model.new_cache(1, 500), prompt, sequences, Limits())


sequences_of_tokens = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=8)


@given(sequences_of_tokens)
@settings(deadline=None)
def test_each_sequence_has_the_scores_that_it_has_alone(sequences: list[list[int]]) -> None:
    for found, sequence in zip(scored(random_model(), sequences), sequences, strict=True):
        assert found == pytest.approx(one_by_one(sequence), abs=1e-5)


def test_what_sequences_share_is_read_once_and_last_tokens_never() -> None:
    model = random_model()
    scored(model, [[4, 5, 6], [4, 5, 7], [4, 8], [9]])
    assert model.shapes == [(1, len(PROMPT) + 2)]


@given(st.integers(1, 40), st.integers(0, 12), sequences_of_tokens)
@settings(deadline=None, max_examples=30)
def test_behind_a_prefix_sequences_have_the_same_scores(
    prefix_length: int, more: int, sequences: list[list[int]]
) -> None:
    ids = [2, *(4 + at % 20 for at in range(prefix_length + more - 1))]
    model = random_model()
    prefix = Prefix(model.backend, ids[:prefix_length])
    for _ in range(2):
        (found,) = model.backend.score_continuations([(ids, prefix)], sequences)
        assert found == scored(random_model(), sequences, ids)


def test_single_tokens_after_a_prefix_take_no_pass_at_all() -> None:
    model = random_model()
    ids = [2, *range(4, 24)]
    prefix = Prefix(model.backend, ids)
    model.shapes.clear()
    (found,) = model.backend.score_continuations([(ids, prefix)], [[4], [5], [6]])
    assert model.shapes == []
    assert found == scored(random_model(), [[4], [5], [6]], ids)


def test_many_branches_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_TOKENS", 4)
    sequences = [[first, second, 5] for first in range(4) for second in range(2)]
    model = random_model()
    for found, sequence in zip(scored(model, sequences), sequences, strict=True):
        assert found == pytest.approx(one_by_one(sequence), abs=1e-5)
    assert max(tokens for _, tokens in model.shapes) == 4


@pytest.mark.parametrize("sequences", [[[4, 5, 6], [4, 8]], [[4], [5]]])
def test_the_prompt_and_all_sequences_take_one_pass(sequences: list[list[int]]) -> None:
    model = random_model()
    scored(model, sequences)
    assert len(model.shapes) == 1


def test_a_long_prompt_and_many_branches_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_TOKENS", 4)
    sequences = [[first, second, 5] for first in range(4) for second in range(2)]
    prompt = [2, *range(10, 19)]
    model = random_model()
    for found, sequence in zip(scored(model, sequences, prompt), sequences, strict=True):
        assert found == pytest.approx(one_by_one(sequence, prompt), abs=1e-5)
    assert [tokens for _, tokens in model.shapes] == [4, 4, 2 + 2, 4, 4, 2]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), sequences_of_tokens)
@settings(deadline=None, max_examples=20)
def test_several_prompts_have_the_scores_that_each_has_alone(lengths: list[int], sequences: list[list[int]]) -> None:
    prompts = [[2, *(4 + (row + at) % 20 for at in range(length - 1))] for row, length in enumerate(lengths)]
    model = RaggedFake(random_model().answer, VOCAB, 500)
    cache = model.new_cache(len(prompts), max(lengths) + sum(map(len, sequences)) + 128)
    found = score_with_prompts(model, cache, prompts, sequences)
    assert found == [scored(random_model(), sequences, prompt) for prompt in prompts]


def test_the_ends_of_several_prompts_and_all_sequences_take_one_pass() -> None:
    model = RaggedFake(random_model().answer, VOCAB, 500)
    prompts = [[2, *range(4, 24)], [2, *range(5, 19)], [2, *range(6, 29)]]
    found = model.backend.score_continuations([(prompt, None) for prompt in prompts], [[4, 5], [4, 6], [7]])
    assert model.counts == [[22, 16, 25]]
    assert found == [scored(random_model(), [[4, 5], [4, 6], [7]], prompt) for prompt in prompts]
