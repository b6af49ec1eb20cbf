import numpy as np

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.processors.bias import SequenceBias, bad_words
from makers.states import sequence_state

EOS = 2


def test_a_bias_is_added_only_where_the_rest_of_the_sequence_has_just_been_said() -> None:
    bias = SequenceBias([((3,), 0.5), ((5, 4), 1.0), ((6, 5, 4), 2.0), ((5, 1), -4.0)])
    states = [sequence_state([EOS, 6, 5]), sequence_state([EOS], new=[5]), sequence_state([5, 7])]
    logits = np.zeros((3, 8), dtype=np.float32)
    bias(states, logits)
    assert logits.tolist() == [[0, -4, 0, 0.5, 3, 0, 0, 0], [0, -4, 0, 0.5, 1, 0, 0, 0], [0, 0, 0, 0.5, 0, 0, 0, 0]]


def test_a_sequence_may_fill_all_there_is_but_not_reach_back_beyond_it() -> None:
    bias = SequenceBias([((EOS, 4), 1.0), ((7, EOS, 5), 1.0)])
    logits = np.zeros((1, 8), dtype=np.float32)
    bias([sequence_state([EOS])], logits)
    assert logits.tolist() == [[0, 0, 0, 0, 1, 0, 0, 0]]


def test_a_bias_beyond_float32_stays_a_number() -> None:
    bias = SequenceBias([((3,), 1e300), ((4, 3), 1e300), ((5,), -1e300)])
    logits = np.full((1, 8), 20, dtype=np.float32)
    bias([sequence_state([4])], logits)
    assert np.isfinite(logits).all()
    assert logits[0].argmax() == 3
    assert logits[0].argmin() == 5


def test_what_is_excluded_stays_excluded_under_any_bias() -> None:
    logits = np.full((1, 4), -np.inf, dtype=np.float32)
    SequenceBias([((3,), 100.0)])([sequence_state([EOS])], logits)
    assert np.isneginf(logits).all()


def test_a_bad_word_cannot_be_completed_and_its_beginning_can_be_said() -> None:
    logits = np.zeros((2, 8), dtype=np.float32)
    bad_words([[5, 4], [3], [5, 4]], (EOS,))([sequence_state([EOS, 5]), sequence_state([EOS, 5, 6])], logits)
    assert [np.flatnonzero(np.isneginf(row)).tolist() for row in logits] == [[3, 4], [3]]


def test_a_bad_word_that_is_the_end_alone_does_not_make_sequences_endless() -> None:
    config = GenerationConfig(bad_words_ids=[[EOS], [5, EOS]])
    logits = np.zeros((2, 8), dtype=np.float32)
    for process in processors_for(config):
        process([sequence_state([3]), sequence_state([5])], logits)
    assert np.isneginf(logits[:, EOS]).tolist() == [False, True]


def test_the_end_can_be_a_bad_word_where_no_token_ends_a_sequence() -> None:
    logits = np.zeros((1, 8), dtype=np.float32)
    bad_words([[EOS]], ())([sequence_state([3])], logits)
    assert np.flatnonzero(np.isneginf(logits[0])).tolist() == [EOS]
