import numpy as np
import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.prompt_checks import as_prompt, check_ids, fit


@pytest.mark.parametrize("prompt", [None, 3, b"bytes", {"a"}, ["a"], float("nan")])
def test_what_is_no_text_is_refused_with_its_type(prompt: object) -> None:
    with pytest.raises(PromptError, match="of type"):
        as_prompt(prompt)


@pytest.mark.parametrize("ids", [[], "2", None, [2, -1], [2, 10], [2.0], [True], ["2"], [None]])
def test_ids_that_the_model_does_not_have_are_refused(ids: object) -> None:
    with pytest.raises(PromptError):
        check_ids(ids, vocab_size=10)


def test_ids_may_come_as_an_array() -> None:
    assert check_ids(np.array([2, 9]), vocab_size=10) == (2, 9)


def test_a_prompt_of_all_positions_fits() -> None:
    assert fit(range(8), 8, GenerationConfig()) == tuple(range(8))


def test_a_prompt_that_is_too_long_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(PromptError, match=r"9 tokens, the model 8 positions.*truncation"):
        fit(range(9), 8, GenerationConfig())


def test_truncation_leaves_room_for_the_new_tokens_and_keeps_the_start_token() -> None:
    ids = [2, *range(10, 30)]
    assert fit(ids, 8, GenerationConfig(truncation="left", max_new_tokens=4)) == (2, 26, 27, 28, 29)
    assert fit(ids, 8, GenerationConfig(truncation="right", max_new_tokens=4)) == (2, 10, 11, 12, 13)


def test_max_new_tokens_gives_way_where_it_would_leave_the_prompt_less_than_half_the_positions() -> None:
    ids = [2, *range(10, 30)]
    assert fit(ids, 8, GenerationConfig(truncation="left", max_new_tokens=100)) == (2, 27, 28, 29)
    assert fit(ids, 8, GenerationConfig(truncation="right", max_new_tokens=6)) == (2, 10, 11, 12)
    assert fit(ids, 2, GenerationConfig(truncation="left", max_new_tokens=9)) == (2, 29)
