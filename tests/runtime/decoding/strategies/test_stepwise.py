import math
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from biogpt_onnx.runtime.backends.chunks import CHUNK_TOKENS
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search
from biogpt_onnx.runtime.errors import ConfigError
from makers.models import FakeModel

EOS = 2


def count_up(tokens: list[int]) -> int:
    """The next number; after 9, the end."""
    return EOS if tokens[-1] == 9 else tokens[-1] + 1


def search(model: FakeModel, prompts: Sequence[Sequence[int]], **settings: Any) -> list[SequenceState]:
    config = GenerationConfig(**settings)
    states = [
        SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids)
        for prompt in prompts
    ]
    run(model, states, config)
    return states


def run(model: FakeModel, states: Sequence[SequenceState], config: GenerationConfig | None = None) -> None:
    for _ in stepwise_search(model.backend, states, NextTokenSelector(config or GenerationConfig()), Limits()):
        pass


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
    (state,) = search(FakeModel(count_up), [[EOS, 9]], eos_token_id=None, max_new_tokens=5)
    assert state.token_ids == [EOS, 3, 4, 5, 6]
    assert state.finish_reason == "length"


class StopAtSix:
    """Stops a sequence at its first 6."""

    def push(self, token_id: int) -> bool:
        return token_id == 6

    def branch(self) -> "StopAtSix":
        return self


def test_a_watch_ends_its_own_row_only() -> None:
    states = [SequenceState((EOS, 4), 4, watch=StopAtSix()), SequenceState((EOS, 4), 4)]
    run(FakeModel(count_up), states)
    assert [state.token_ids for state in states] == [[5, 6], [5, 6, 7, 8]]
    assert [state.finish_reason for state in states] == ["stop", "length"]


def test_a_row_keeps_to_what_it_allows_and_ends_where_nothing_is() -> None:
    states = [SequenceState((EOS, 4), 4, allowed=TokenTrie([(20, 21), (30, 31)])), SequenceState((EOS, 4), 4)]
    run(FakeModel(count_up), states)
    assert [state.token_ids for state in states] == [[20, 21], [5, 6, 7, 8]]
    assert states[0].finish_reason == "stop"


@pytest.mark.parametrize("token", [-1, 50])
def test_an_allowed_token_that_the_model_lacks_is_an_error(token: int) -> None:
    with pytest.raises(ConfigError, match=f"allowed names token {token}"):
        run(FakeModel(count_up), [SequenceState((EOS,), 2, allowed=lambda _: [token])])


def test_rules_that_exclude_everything_are_an_error() -> None:
    with pytest.raises(ConfigError, match="no token may come next"):
        search(FakeModel(count_up), [[EOS, 4]], suppress_tokens=list(range(50)))
    with pytest.raises(ConfigError, match="no token may come next"):
        search(FakeModel(count_up), [[EOS, 4]], suppress_tokens=list(range(50)), do_sample=True)


def test_a_prompt_that_rows_share_is_read_once() -> None:
    model = FakeModel(count_up)
    states = search(model, [[EOS, 4, 5], [EOS, 9], [EOS, 4, 5]], max_new_tokens=3)
    assert model.shapes[:3] == [(1, 3), (1, 2), (2, 1)]
    assert [state.token_ids for state in states] == [[6, 7, 8], [EOS], [6, 7, 8]]


def sampled(model: FakeModel, prompts: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
    config = GenerationConfig(do_sample=True, eos_token_id=None, max_new_tokens=6)
    states = [SequenceState(tuple(prompt), 6, eos_token_id=None, random=generators(seed, 1)[0]) for prompt in prompts]
    run(model, states, config)
    return [state.token_ids for state in states]


def test_a_sample_depends_on_its_seed_and_prompt_alone() -> None:
    prompts = [[EOS, 5], [EOS, 6, 7], [EOS, 8]]
    model = FakeModel(lambda tokens: sum(tokens) % 50)
    together = sampled(model, prompts, seed=3)
    assert together == [sampled(model, [prompt], seed=3)[0] for prompt in prompts]
    assert together == sampled(model, prompts, seed=3)
    assert together != sampled(model, prompts, seed=4)


def interrupted(after: int, limits: Limits, cancel: threading.Event) -> list[SequenceState]:
    states = [SequenceState((EOS, 9), 8), SequenceState((EOS, 4), 8)]
    search = stepwise_search(FakeModel(count_up).backend, states, NextTokenSelector(GenerationConfig()), limits)
    for _ in range(after):
        next(search)
    cancel.set()
    assert list(search) == []
    return states


def test_what_was_generated_before_a_cancellation_is_kept() -> None:
    cancel = threading.Event()
    finished, unfinished = interrupted(2, Limits(cancel=cancel), cancel)
    assert finished.finish_reason == "eos"
    assert unfinished.finish_reason == "cancelled"
    assert unfinished.token_ids == [5, 6]


def test_a_search_that_is_cancelled_before_it_begins_computes_nothing() -> None:
    cancel = threading.Event()
    cancel.set()
    for state in interrupted(0, Limits(cancel=cancel), cancel):
        assert state.finish_reason == "cancelled"
        assert state.token_ids == []


def test_generation_ends_when_its_time_is_over() -> None:
    times = iter(range(100))
    state = SequenceState((EOS, 4), 30)
    limits = Limits(max_time=4.5, clock=lambda: float(next(times)))
    for _ in stepwise_search(FakeModel(lambda _: 7).backend, [state], NextTokenSelector(GenerationConfig()), limits):
        pass
    assert state.finish_reason == "time"
    assert 0 < len(state.token_ids) < 6


def test_a_single_sequence_goes_on_in_its_prefix_and_leaves_it_as_it_was() -> None:
    model = FakeModel(count_up)
    prefix = Prefix(model.backend, [EOS, 3, 4, 5, 6, 7])
    for _ in range(2):
        states = [SequenceState((EOS, 3, 4, 5, 6, 7, 30, 31), 3, prefix=prefix)]
        run(model, states)
        assert states[0].token_ids == [32, 33, 34]
    # The prefix's last two tokens are read again.
    assert model.shapes == [(1, 6), *[(1, 4), (1, 1), (1, 1)] * 2]
    assert model.caches[0].rows == [[EOS, 3, 4, 5]]
    assert len(model.caches) == 1


def test_the_score_is_the_sum_of_log_probabilities() -> None:
    model = FakeModel(count_up, vocab_size=50)
    (state,) = search(model, [[EOS, 7]], max_new_tokens=2)
    assert state.score == pytest.approx(2 * (1 - math.log(math.e + 49)))


def test_a_prompt_longer_than_a_chunk_is_read_whole() -> None:
    prompt = [EOS] * (2 * CHUNK_TOKENS) + [4]
    model = FakeModel(lambda tokens: len(tokens) % 7, max_positions=2000)
    (state,) = search(model, [prompt], max_new_tokens=2, eos_token_id=49)
    assert state.token_ids == [len(prompt) % 7, (len(prompt) + 1) % 7]
    # The one token that is left over is read with some of those before it.
    assert model.shapes == [(1, CHUNK_TOKENS), (1, CHUNK_TOKENS - 64), (1, 64 + 1), (1, 1)]


def test_each_step_can_be_seen_as_it_is_taken() -> None:
    state = SequenceState((EOS, 4), 3)
    search = stepwise_search(FakeModel(count_up).backend, [state], NextTokenSelector(GenerationConfig()), Limits())
    assert [len(state.token_ids) for _ in search] == [1, 2, 3]
