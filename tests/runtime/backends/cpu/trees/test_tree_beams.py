from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends.cpu.trees.tree_beams import TreeBeams
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.models import FakeCache, FakeModel, RaggedFake

VOCAB = 97
PROMPTS = [[2, 5], [2, 6, 7, 8], [2], [2, 9, 9]]


def fingerprint(tokens: list[int]) -> int:
    """A number that two different pasts hardly share."""
    return hash(tuple(tokens)) % VOCAB


def beams_of(prompts: Sequence[list[int]], room: int = 400) -> tuple[TreeBeams[FakeCache], RaggedFake]:
    model = RaggedFake(fingerprint, vocab_size=VOCAB, max_positions=1000)
    cache = model.new_cache(len(prompts), max(map(len, prompts)) + room)
    for row, prompt in enumerate(prompts):
        cache.rows[row] += prompt
    return TreeBeams[FakeCache](model, cache), model


@given(st.data())
@settings(deadline=None)
def test_beams_see_their_own_past_alone_whatever_others_come_and_go(data: st.DataObject) -> None:
    found, model = beams_of(PROMPTS, room=2000)
    running = list(enumerate(PROMPTS))
    for _ in range(data.draw(st.integers(1, 30))):
        # In any order, some several times and some not at all.
        chosen = data.draw(st.lists(st.sampled_from(range(len(running))), min_size=1, max_size=12))
        tokens = data.draw(st.lists(st.integers(4, 90), min_size=len(chosen), max_size=len(chosen)))
        scores = found.step(chosen, tokens)
        running = [
            (running[number][0], [*running[number][1], token]) for number, token in zip(chosen, tokens, strict=True)
        ]
        assert scores.logits().argmax(axis=1).tolist() == [fingerprint(past) for _, past in running]
        # One pass of the model, with a row for each prompt that still has beams.
        assert model.shapes.pop()[0] == len({prompt for prompt, _ in running})
        assert not model.shapes


def test_a_single_token_is_read_twice_alone_and_beside_others() -> None:
    together, model = beams_of(PROMPTS[:2])
    together.step([0, 1, 1, 1], [10, 11, 12, 13])
    assert model.counts == [[2, 3]]
    alone, model = beams_of(PROMPTS[:1])
    assert alone.step([0], [10]).logits().shape == (1, VOCAB)
    assert model.shapes == [(1, 2)]


def states_of(prompts: Sequence[list[int]], config: GenerationConfig) -> list[SequenceState]:
    return [
        SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids)
        for prompt in prompts
    ]


def searched(model: FakeModel, prompts: Sequence[list[int]], **changes: Any) -> list[list[tuple[list[int], float]]]:
    config = GenerationConfig(**({"eos_token_id": 0, "num_beams": 3, "max_new_tokens": 7} | changes))
    requests = [Request([state]) for state in states_of(prompts, config)]
    for _ in run_search(model.backend, requests, config, Limits()):
        pass
    return [[(list(state.token_ids), state.score) for state in request.states] for request in requests]


def random_logits(past: list[int]) -> npt.NDArray[np.float32]:
    logits = np.random.default_rng(past).normal(0, 2, 20).astype(np.float32)
    logits[0] += 3  # so that searches end at different steps
    return logits


@pytest.mark.parametrize("num_beams", [2, 3, 12])
def test_searches_of_several_prompts_find_what_each_finds_alone(num_beams: int) -> None:
    changes = {"num_beams": num_beams, "num_return_sequences": 2}
    together = RaggedFake(random_logits, 20, 100)
    alone = [searched(FakeModel(random_logits, 20, 100), [prompt], **changes)[0] for prompt in PROMPTS]
    assert searched(together, PROMPTS, **changes) == alone
    assert len({len(found[0][0]) for found in alone}) > 1


def test_as_many_prompts_are_searched_together_as_have_room_in_a_pass() -> None:
    model = RaggedFake(random_logits, 20, 100)
    assert [model.backend.max_beam_prompts(num_beams) for num_beams in (2, 5, 32, 100)] == [16, 6, 1, 1]
    searched(model, PROMPTS * 2, num_beams=8)
    assert max(model.batch_sizes) == 4


def test_a_model_without_padding_searches_one_prompt_after_the_other() -> None:
    model = FakeModel(random_logits, 20, 100)
    searched(model, PROMPTS)
    assert set(model.batch_sizes) == {1}
