import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.decoding.processors.ending import ForcedBos, ForcedEos, MinLength, MinNewTokens
from makers.states import sequence_state

EOS = 2


def two_rows() -> npt.NDArray[np.float32]:
    return np.arange(8, dtype=np.float32).reshape(2, 4)


def test_a_sequence_does_not_end_before_it_has_its_fewest_tokens() -> None:
    logits = two_rows()
    MinNewTokens(2, (EOS,))([sequence_state([1, 1, 1, 1], new=[3]), sequence_state([1], new=[3, 3])], logits)
    assert logits.tolist() == [[0, 1, -np.inf, 3], [4, 5, 6, 7]]


def test_a_sequence_does_not_end_before_it_and_its_prompt_have_their_fewest_tokens() -> None:
    logits = two_rows()
    MinLength(3, (EOS, 0))([sequence_state([1], new=[3]), sequence_state([1, 1], new=[3])], logits)
    assert logits.tolist() == [[-np.inf, 1, -np.inf, 3], [4, 5, 6, 7]]


def test_only_a_prompt_of_one_token_is_given_its_first() -> None:
    logits = two_rows()
    ForcedBos(3)([sequence_state([EOS]), sequence_state([EOS], new=[1])], logits)
    assert logits.tolist() == [[-np.inf, -np.inf, -np.inf, 0], [4, 5, 6, 7]]
    logits = two_rows()
    ForcedBos(3)([sequence_state([EOS, 1]), sequence_state([EOS])], logits)
    assert logits.tolist() == [[0, 1, 2, 3], [-np.inf, -np.inf, -np.inf, 0]]


def test_the_last_token_a_sequence_may_have_is_the_forced_one() -> None:
    logits = two_rows()
    states = [sequence_state([1, 1], new=[3, 3], max_new_tokens=3), sequence_state([1], new=[3, 3], max_new_tokens=4)]
    ForcedEos(EOS)(states, logits)
    assert logits.tolist() == [[-np.inf, -np.inf, 0, -np.inf], [4, 5, 6, 7]]


def test_a_forced_token_comes_even_where_it_was_forbidden() -> None:
    logits = np.full((1, 4), -np.inf, dtype=np.float32)
    ForcedEos(EOS)([sequence_state([1], max_new_tokens=1)], logits)
    assert logits[0].argmax() == EOS
    assert logits[0, EOS] == 0
