import math
from collections.abc import Sequence
from typing import Any

import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.greedy import greedy_search
from biogpt_onnx.runtime.decoding.prefill import CHUNK_TOKENS
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.models import FakeModel

EOS = 2


def count_up(tokens: list[int]) -> int:
    """The next number; after 9, the end."""
    return EOS if tokens[-1] == 9 else tokens[-1] + 1


def search(model: FakeModel, prompts: Sequence[Sequence[int]], **settings: Any) -> list[SequenceState]:
    config = GenerationConfig(**settings)
    states = [SequenceState(tuple(prompt), config.max_new_tokens) for prompt in prompts]
    for _ in greedy_search(model, states, config):
        pass
    return states


def test_the_most_likely_token_is_appended_until_the_sequence_ends() -> None:
    (state,) = search(FakeModel(count_up), [[EOS, 6]])
    assert state.token_ids == [7, 8, 9, EOS]
    assert state.finish_reason == "eos"


def test_a_row_in_a_batch_gets_the_tokens_that_it_gets_alone() -> None:
    prompts = [[EOS, 5], [EOS, 30, 31, 8], [EOS], [EOS, 9]]
    together = search(FakeModel(count_up), prompts, max_new_tokens=6)
    alone = [search(FakeModel(count_up), [prompt], max_new_tokens=6)[0] for prompt in prompts]
    assert [state.token_ids for state in together] == [state.token_ids for state in alone]
    assert [state.finish_reason for state in together] == ["eos", "eos", "length", "eos"]


def test_a_row_that_ended_is_computed_no_more() -> None:
    model = FakeModel(count_up)
    search(model, [[EOS, 9], [EOS, 8], [EOS, 6]])
    # Three prompts one by one; the first row ends at once, the second after one step more.
    assert model.batch_sizes == [1, 1, 1, 2, 1, 1]


def test_no_step_is_computed_after_the_last_token() -> None:
    model = FakeModel(count_up)
    search(model, [[EOS, 20]], max_new_tokens=4)
    assert len(model.batch_sizes) == 1 + 3


def test_the_end_is_not_chosen_before_min_new_tokens() -> None:
    (state,) = search(FakeModel(count_up), [[EOS, 9]], min_new_tokens=3, max_new_tokens=8)
    assert EOS not in state.token_ids[:3]


def test_without_an_ending_token_generation_goes_on_to_the_length() -> None:
    config = GenerationConfig(eos_token_id=None, max_new_tokens=5)
    state = SequenceState((EOS, 9), 5)
    list(greedy_search(FakeModel(count_up), [state], config))
    assert state.token_ids == [EOS, 3, 4, 5, 6]
    assert state.finish_reason == "length"


def test_a_stop_check_ends_its_own_row_only() -> None:
    states = [SequenceState((EOS, 4), 4), SequenceState((EOS, 4), 4)]
    list(greedy_search(FakeModel(count_up), states, GenerationConfig(), [lambda token: token == 6, lambda _: False]))
    assert [state.token_ids for state in states] == [[5, 6], [5, 6, 7, 8]]
    assert [state.finish_reason for state in states] == ["stop", "length"]


def test_the_score_is_the_sum_of_log_probabilities() -> None:
    model = FakeModel(count_up, vocab_size=50)
    (state,) = search(model, [[EOS, 7]], max_new_tokens=2)
    assert state.score == pytest.approx(2 * (1 - math.log(math.e + 49)))


def test_a_prompt_longer_than_a_chunk_is_read_whole() -> None:
    prompt = [EOS] * (2 * CHUNK_TOKENS) + [4]
    model = FakeModel(lambda tokens: len(tokens) % 7, max_positions=2000)
    (state,) = search(model, [prompt], max_new_tokens=2, eos_token_id=49)
    assert state.token_ids == [len(prompt) % 7, (len(prompt) + 1) % 7]
    assert len(model.batch_sizes) == 3 + 1


def test_each_step_can_be_seen_as_it_is_taken() -> None:
    state = SequenceState((EOS, 4), 3)
    lengths = [len(state.token_ids) for _ in greedy_search(FakeModel(count_up), [state], GenerationConfig())]
    assert lengths == [1, 2, 3]
