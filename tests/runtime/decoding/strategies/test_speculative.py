import itertools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.selection.token_selection import NextTokenSelector
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.speculative import Verifier, speculative_search
from biogpt_onnx.runtime.decoding.strategies.stepwise import stepwise_search
from makers.models import FakeCache, FakeModel

EOS = 2
VOCAB = 40
SOURCE = [EOS, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]


class RoundingModel(FakeModel):
    """Rounds otherwise when it reads several tokens, as kernels do."""

    def forward(
        self, input_ids: npt.NDArray[np.int64], cache: FakeCache, **inputs: npt.NDArray[Any] | None
    ) -> npt.NDArray[np.float32]:
        logits = super().forward(input_ids, cache, **inputs)
        if input_ids.shape[1] > 1:
            logits[:, ::2] += np.float32(1e-5)
        return logits


def copying_model(seed: int, share: float, *, ties: bool = False) -> RoundingModel:
    """Goes on with the source where its last token stands there, but for some places where it says anything.

    With ties, the runner-up is behind by less than the rounding.
    """

    def logits(past: list[int]) -> npt.NDArray[np.float32]:
        generator = np.random.default_rng([seed, len(past), past[-1]])
        first, second = generator.permutation(VOCAB)[:2]
        if past[-1] in SOURCE[:-1] and generator.random() < share:
            first = SOURCE[SOURCE.index(past[-1]) + 1]
        row = np.zeros(VOCAB, dtype=np.float32)
        row[second] = 3 - 1e-6 if ties and generator.random() < 0.3 else 2
        row[first] = 3
        return row

    return RoundingModel(logits, VOCAB, max_positions=200)


def greedy(model: FakeModel, prompt: Sequence[int], **settings: Any) -> SequenceState:
    config = GenerationConfig(**settings)
    state = SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids)
    for _ in stepwise_search(model.backend, [state], NextTokenSelector(config), Limits()):
        pass
    return state


def drafted(model: FakeModel, prompt: Sequence[int], **settings: Any) -> SequenceState:
    config = GenerationConfig(prompt_lookup_num_tokens=6, **settings)
    state = SequenceState(tuple(prompt), config.most_new_tokens(len(prompt)), eos_token_id=config.end_token_ids)
    # A clock that ticks once a reading makes all passes equally long, so that drafts seem to cost nothing.
    ticks = itertools.count()
    for _ in speculative_search(model.backend, state, config, Limits(), clock=lambda: float(next(ticks))):
        pass
    return state


@given(
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    ties=st.booleans(),
    max_new_tokens=st.integers(1, 60),
    rules=st.sampled_from([{}, {"no_repeat_ngram_size": 3}, {"repetition_penalty": 1.3, "min_new_tokens": 1}]),
)
@settings(max_examples=150, deadline=None)
def test_drafts_change_no_token(
    seed: int, share: float, max_new_tokens: int, rules: dict[str, Any], *, ties: bool
) -> None:
    plain = greedy(copying_model(seed, share, ties=ties), SOURCE, max_new_tokens=max_new_tokens, **rules)
    model = copying_model(seed, share, ties=ties)
    state = drafted(model, SOURCE, max_new_tokens=max_new_tokens, **rules)
    assert state.token_ids == plain.token_ids
    assert state.finish_reason == plain.finish_reason
    assert state.score == pytest.approx(plain.score, abs=1e-2)
    assert model.caches[0].rows[0] == [*SOURCE, *state.token_ids][: len(model.caches[0].rows[0])]


def magnified(_ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Makes a thousandfold of each difference, so that near ties are far apart."""
    return logits * np.float32(1000)


def favored(_ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Makes a thousandfold of the logits of some tokens alone, and lifts the others to about as much."""
    logits[::2] *= 1000
    logits[1::2] = logits[1::2] * 10 + 2970
    return logits


@given(seed=st.integers(0, 10**6), rule=st.sampled_from([magnified, favored]))
@settings(max_examples=60, deadline=None)
def test_drafts_change_no_token_where_a_rule_magnifies_rounding(seed: int, rule: Any) -> None:
    rules: dict[str, Any] = {"logits_processors": [rule], "max_new_tokens": 40}
    plain = greedy(copying_model(seed, 0.8, ties=True), SOURCE, **rules)
    assert drafted(copying_model(seed, 0.8, ties=True), SOURCE, **rules).token_ids == plain.token_ids


def test_magnified_rounding_would_change_tokens_if_it_were_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Verifier, "_survives_rounding", lambda *_: True)
    rules: dict[str, Any] = {"logits_processors": [magnified], "max_new_tokens": 40}
    differing = [
        seed
        for seed in range(60)
        if drafted(copying_model(seed, 0.8, ties=True), SOURCE, **rules).token_ids
        != greedy(copying_model(seed, 0.8, ties=True), SOURCE, **rules).token_ids
    ]
    assert differing


def test_rounding_would_change_tokens_if_near_ties_were_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.backend.CpuBackend.near_tie", 0.0)
    differing = [
        seed
        for seed in range(60)
        if drafted(copying_model(seed, 0.8, ties=True), SOURCE, max_new_tokens=40).token_ids
        != greedy(copying_model(seed, 0.8, ties=True), SOURCE, max_new_tokens=40).token_ids
    ]
    assert differing


def test_copied_text_takes_fewer_passes() -> None:
    model = copying_model(1, 1.0)
    state = drafted(model, SOURCE, max_new_tokens=60, eos_token_id=None)
    assert len(state.token_ids) == 60
    assert len(model.shapes) < 45


def test_no_pass_goes_beyond_the_models_positions() -> None:
    model = copying_model(1, 1.0)
    model.max_positions = len(SOURCE) + 30 - 1
    assert len(drafted(model, SOURCE, max_new_tokens=30, eos_token_id=None).token_ids) == 30


def test_what_was_generated_before_a_cancellation_is_kept() -> None:
    cancel = threading.Event()
    state = SequenceState(tuple(SOURCE), 40, eos_token_id=None)
    config = GenerationConfig(prompt_lookup_num_tokens=6, max_new_tokens=40, eos_token_id=None)
    search = speculative_search(copying_model(1, 1.0).backend, state, config, Limits(cancel=cancel))
    for _ in range(3):
        next(search)
    cancel.set()
    assert list(search) == []
    assert state.finish_reason == "cancelled"
    assert len(state.token_ids) >= 3
