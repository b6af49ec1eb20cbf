import numpy as np

from biogpt_onnx.runtime.decoding.processors.suppression import BeginSuppressTokens, SuppressTokens
from makers.states import sequence_state


def test_suppressed_tokens_are_excluded_everywhere_and_others_nowhere() -> None:
    logits = np.zeros((2, 6), dtype=np.float32)
    SuppressTokens((4, 1, 4))([sequence_state([1]), sequence_state([1, 2], new=[3])], logits)
    assert np.isneginf(logits).tolist() == [[False, True, False, False, True, False]] * 2


def test_tokens_suppressed_at_the_beginning_may_come_later() -> None:
    logits = np.zeros((3, 4), dtype=np.float32)
    states = [sequence_state([1]), sequence_state([1, 2, 3]), sequence_state([1], new=[2])]
    BeginSuppressTokens((3, 0), has_forced_bos=False)(states, logits)
    assert np.isneginf(logits[:, [0, 3]]).all(axis=1).tolist() == [True, True, False]
    assert not np.isneginf(logits[:, [1, 2]]).any()


def test_where_the_first_token_is_forced_the_second_is_the_beginning() -> None:
    logits = np.zeros((4, 4), dtype=np.float32)
    states = [
        sequence_state([1]),
        sequence_state([1], new=[2]),
        sequence_state([1, 2]),
        sequence_state([1, 2], new=[2]),
    ]
    BeginSuppressTokens((3,), has_forced_bos=True)(states, logits)
    assert np.isneginf(logits[:, 3]).tolist() == [False, True, True, False]
