from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.states import sequence_state

EVERYTHING: dict[str, object] = {
    "sequence_bias": {(3,): 1.0},
    "repetition_penalty": 1.2,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "no_repeat_ngram_size": 2,
    "bad_words_ids": [[4]],
    "min_new_tokens": 1,
    "forced_bos_token_id": 5,
    "forced_eos_token_id": 2,
    "suppress_tokens": [6],
    "begin_suppress_tokens": [7],
    "logits_processors": lambda _ids, logits: logits,
}
SAMPLING: dict[str, object] = {
    "temperature": 0.5,
    "top_k": 5,
    "top_p": 0.9,
    "min_p": 0.1,
    "typical_p": 0.9,
    "epsilon_cutoff": 0.01,
    "eta_cutoff": 0.01,
}


def names(allowed: object = None, **settings: object) -> list[str]:
    rules = processors_for(GenerationConfig().replace(**settings), allowed)  # type: ignore[arg-type]
    return [type(rule).__name__ for rule in rules]


class OnlyTokenOne:
    needs_all_logits = True

    def __call__(self, _states: Sequence[SequenceState], logits: npt.NDArray[np.float32], /) -> None:
        logits[:, np.arange(logits.shape[1]) != 1] = -np.inf


def test_plain_greedy_search_costs_nothing() -> None:
    assert names() == []
    assert names(do_sample=True) == []
    assert names(max_new_tokens=3, stop_strings=["a"], eos_token_id=None) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"min_new_tokens": 3, "eos_token_id": None},
        {"do_sample": True, "epsilon_cutoff": 0.0},
        {"do_sample": True, "eta_cutoff": 0.0},
        {"do_sample": True, "temperature": 1},
        {"no_repeat_ngram_size": 0, "repetition_penalty": 1, "bad_words_ids": [], "sequence_bias": {}},
        {"presence_penalty": 0, "frequency_penalty": 0.0},
        {"suppress_tokens": [], "begin_suppress_tokens": []},
    ],
)
def test_a_setting_that_changes_nothing_makes_no_rule(settings: dict[str, object]) -> None:
    assert names(**settings) == []


def test_the_rules_stand_in_their_order() -> None:
    assert names(OnlyTokenOne(), do_sample=True, **EVERYTHING, **SAMPLING) == [
        "SequenceBias",
        "RepetitionPenalty",
        "NoRepeatNgram",
        "OccurrencePenalty",
        "SequenceBias",
        "MinNewTokens",
        "OnlyTokenOne",
        "ForcedBos",
        "ForcedEos",
        "SuppressTokens",
        "BeginSuppressTokens",
        "CustomRule",
        "Temperature",
        "TopK",
        "TopP",
        "MinP",
        "Typical",
        "EpsilonCutoff",
        "EtaCutoff",
    ]


def test_a_forced_token_comes_though_it_is_not_allowed_and_a_suppressed_one_does_not_though_it_is() -> None:
    logits = np.zeros((2, 8), dtype=np.float32)
    config = GenerationConfig(forced_eos_token_id=2, suppress_tokens=[1])
    for process in processors_for(config, OnlyTokenOne()):
        process([sequence_state([3], max_new_tokens=1), sequence_state([3])], logits)
    assert np.flatnonzero(logits[0] > -np.inf).tolist() == [2]
    assert np.isneginf(logits[1]).all()


def test_everything_at_once_survives_rows_that_allow_nothing() -> None:
    config = GenerationConfig().replace(do_sample=True, **EVERYTHING, **SAMPLING)
    logits = np.full((3, 8), -np.inf, dtype=np.float32)
    logits[1] = np.arange(8)
    for process in processors_for(config):
        process([sequence_state([3, 4, 3])] * 3, logits)
    assert np.isneginf(logits[[0, 2]]).all()
    assert (logits[1] > -np.inf).any()
    assert not np.isnan(logits).any()


def test_callers_rules_are_numbered_in_their_message() -> None:
    config = GenerationConfig(logits_processors=[lambda _ids, logits: logits, lambda _ids, _logits: None])  # type: ignore[list-item, return-value]
    good, bad = processors_for(config)
    logits = np.zeros((1, 8), dtype=np.float32)
    good([sequence_state([3])], logits)
    with pytest.raises(ValueError, match=r"logits_processors\[1\]"):
        bad([sequence_state([3])], logits)
