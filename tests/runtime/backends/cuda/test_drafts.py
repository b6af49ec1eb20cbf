"""Drafts on a device: chains, of which only tokens come back where no rule needs more."""

import itertools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import AllowedTokens, SequenceState
from biogpt_onnx.runtime.decoding.strategies.speculative import speculative_search
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search
from makers.models import DeviceFake

EOS, VOCAB = 2, 40
SOURCE = (EOS, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)


def copying_model(seed: int, share: float) -> DeviceFake:
    """Goes on with the source where its last token stands there, but for some places where it says anything."""

    def logits(past: list[int]) -> npt.NDArray[np.float32]:
        generator = np.random.default_rng([seed, len(past), past[-1]])
        row = generator.normal(0, 1, VOCAB).astype(np.float32)
        if past[-1] in SOURCE[:-1] and generator.random() < share:
            row[SOURCE[SOURCE.index(past[-1]) + 1]] += 9
        return row

    return DeviceFake(logits, VOCAB, max_positions=200)


def state(config: GenerationConfig, allowed: AllowedTokens | None = None) -> SequenceState:
    return SequenceState(
        SOURCE, config.most_new_tokens(len(SOURCE)), eos_token_id=config.end_token_ids, allowed=allowed
    )


def drafted(model: DeviceFake, allowed: AllowedTokens | None = None, **settings: Any) -> SequenceState:
    config = GenerationConfig(prompt_lookup_num_tokens=6, **settings)
    found = state(config, allowed)
    # A clock that ticks once a reading makes all passes equally long, so that drafts seem to cost nothing.
    ticks = itertools.count()
    for _ in speculative_search(model.backend, found, config, Limits(), clock=lambda: float(next(ticks))):
        pass
    return found


def greedy(model: DeviceFake, allowed: AllowedTokens | None = None, **settings: Any) -> SequenceState:
    config = GenerationConfig(**settings)
    found = state(config, allowed)
    for _ in stepwise_search(model.backend, [found], NextTokenSelector(config), Limits()):
        pass
    return found


RULES: list[dict[str, Any]] = [
    {},
    {"no_repeat_ngram_size": 3},
    {"repetition_penalty": 1.3, "min_new_tokens": 1},
    {"allowed": lambda new: range(10, 10 + 5 * (1 + len(new) % 3))},
]


@given(
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    max_new_tokens=st.integers(1, 60),
    rules=st.sampled_from(RULES),
)
@settings(max_examples=100, deadline=None)
def test_drafts_change_no_token(seed: int, share: float, max_new_tokens: int, rules: dict[str, Any]) -> None:
    model = copying_model(seed, share)
    plain = greedy(copying_model(seed, share), max_new_tokens=max_new_tokens, **rules)
    found = drafted(model, max_new_tokens=max_new_tokens, **rules)
    assert found.token_ids == plain.token_ids
    assert found.finish_reason == plain.finish_reason
    assert found.log_probabilities == pytest.approx(plain.log_probabilities, abs=1e-5)
    # What was read and refused is forgotten.
    held = model.caches[0].rows[0]
    assert held == [*SOURCE, *found.token_ids][: len(held)]
    assert len(held) >= len(SOURCE) + len(found.token_ids) - 1


@pytest.mark.parametrize("rules", [{}, {"repetition_penalty": 1.01}])
def test_copied_text_takes_fewer_passes_and_brings_logits_only_where_a_rule_needs_them(rules: dict[str, Any]) -> None:
    model = copying_model(1, 1.0)
    found = drafted(model, max_new_tokens=60, eos_token_id=None, **rules)
    assert len(found.token_ids) == 60
    assert len(model.shapes) < 50
    drafts = [shape for shape in model.shapes[1:] if shape[1] > 1]
    assert drafts
    # A row for each token.
    assert model.brought == (60 if rules else 0)
    assert (model.selections == 0) == bool(rules)


def test_no_pass_goes_beyond_the_models_positions() -> None:
    model = copying_model(1, 1.0)
    model.max_positions = len(SOURCE) + 30 - 1
    assert len(drafted(model, max_new_tokens=30, eos_token_id=None).token_ids) == 30


def test_what_was_generated_before_a_cancellation_is_kept() -> None:
    cancel = threading.Event()
    config = GenerationConfig(prompt_lookup_num_tokens=6, max_new_tokens=40, eos_token_id=None)
    found = state(config)
    search = speculative_search(copying_model(1, 1.0).backend, found, config, Limits(cancel=cancel))
    for _ in range(3):
        next(search)
    cancel.set()
    assert list(search) == []
    assert found.finish_reason == "cancelled"
    assert len(found.token_ids) >= 3
