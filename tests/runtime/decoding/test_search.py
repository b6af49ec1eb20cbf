"""The strategy that a configuration asks for continues every request, pass by pass."""

from collections.abc import Sequence
from typing import Any

import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request, StepStatistics
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.models import FakeModel

EOS = 2
PROMPTS = ([EOS, 5], [EOS, 7], [EOS, 3, 4])


def count_up(tokens: list[int]) -> int:
    """The next number; after 9, the end."""
    return EOS if tokens[-1] == 9 else tokens[-1] + 1


def requests_of(config: GenerationConfig, prompts: Sequence[Sequence[int]] = PROMPTS) -> list[Request]:
    return [
        Request([SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=EOS)])
        for prompt in prompts
    ]


def passes(requests: Sequence[Request], config: GenerationConfig, model: FakeModel) -> list[list[int]]:
    """Searches, and returns how many tokens each request's first answer has after each pass; 0 where it has none."""
    search = run_search(model.backend, requests, config, Limits())
    return [[request.states[0].num_new_tokens if request.states else 0 for request in requests] for _ in search]


STRATEGIES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "drafts": {"prompt_lookup_num_tokens": 4},
    "beams": {"num_beams": 2, "num_return_sequences": 2},
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_request_is_answered_and_has_ended(name: str) -> None:
    config = GenerationConfig(max_new_tokens=8, **STRATEGIES[name])
    requests = requests_of(config)
    seen = passes(requests, config, FakeModel(count_up))
    assert [request.states[0].token_ids for request in requests] == [
        [6, 7, 8, 9, EOS],
        [8, 9, EOS],
        [5, 6, 7, 8, 9, EOS],
    ]
    assert all(request.has_ended for request in requests)
    assert seen[-1] == [5, 3, 6]
    assert [len(request.states) for request in requests] == [config.num_return_sequences] * 3
    # The pass that gives the first token is none of the steps.
    assert min(request.steps for request in requests) >= 2
    assert all(request.prefill > 0 and request.decode > 0 and request.captured_steps == 0 for request in requests)


def test_rows_step_together_and_drafts_one_prompt_after_the_other() -> None:
    config = GenerationConfig(max_new_tokens=8)
    requests = requests_of(config)
    assert passes(requests, config, FakeModel(count_up))[0] == [1, 1, 1]
    assert [request.steps for request in requests] == [5, 5, 5]
    config = GenerationConfig(max_new_tokens=8, prompt_lookup_num_tokens=4)
    requests = requests_of(config)
    seen = passes(requests, config, FakeModel(count_up))
    assert seen[0] == [1, 0, 0]
    # Between two prompts there is a pause, in which what is answered can be read.
    assert seen.count([5, 0, 0]) == 2
    assert seen[0] != seen[1]


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_has_ended_before_is_not_computed(name: str) -> None:
    config = GenerationConfig(max_new_tokens=8, **STRATEGIES[name])
    requests = [Request([SequenceState((EOS, 5), 8, allowed=lambda _: [])]), *requests_of(config)[1:2]]
    model = FakeModel(count_up)
    passes(requests, config, model)
    assert requests[0].states[0].token_ids == []
    assert requests[0].states[0].finish_reason == "stop"
    assert requests[1].states[0].token_ids == [8, 9, EOS]
    alone = FakeModel(count_up)
    passes(requests_of(config)[1:2], config, alone)
    assert len(model.shapes) == len(alone.shapes)
    nothing = FakeModel(count_up)
    ended = Request([SequenceState((EOS, 5), 8, allowed=lambda _: [])])
    assert passes([ended], config, nothing) == []
    assert (nothing.shapes, ended.has_ended, ended.steps) == ([], True, 0)


def test_passes_are_counted_and_those_that_were_captured_among_them() -> None:
    statistics = StepStatistics().after(is_captured=True).after(is_captured=False)
    assert statistics == StepStatistics(steps=2, captured_steps=1)
