"""Which prompts are read together."""

import hypothesis
import pytest
from hypothesis import strategies

from biogpt_onnx.runtime.backends.cuda.prompt_groups import prompt_groups


@pytest.mark.parametrize(
    ("lengths", "groups"),
    [
        ([], []),
        ([7], [[0]]),
        ([100, 120, 110], [[1, 2, 0]]),
        # One long prompt would have each of the others padded to its length.
        ([20, 1000, 20, 20], [[1, 0, 2], [3]]),
        ([1000, *[20] * 60], [[0, 1, 2], [*range(3, 61)]]),
        # Memory: 16 of 1,024 tokens.
        ([1024] * 20, [[*range(16)], [*range(16, 20)]]),
    ],
)
def test_groups(lengths: list[int], groups: list[list[int]]) -> None:
    assert prompt_groups(lengths) == groups


@hypothesis.given(strategies.lists(strategies.integers(1, 1024), max_size=80))
def test_every_prompt_is_read_once_and_no_pass_is_too_large(lengths: list[int]) -> None:
    groups = prompt_groups(lengths)
    assert sorted(number for group in groups for number in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[number] for number in group)
        assert longest == lengths[group[0]]
        assert len(group) * longest <= 16_384
        assert sum(longest - lengths[number] for number in group) <= 2_048


def test_fewer_tokens_may_be_taken_at_a_time_but_a_prompt_is_never_divided() -> None:
    assert prompt_groups([1024] * 3 + [30], 2048) == [[0, 1], [2, 3]]
    assert prompt_groups([50, 40, 5], 20) == [[0], [1], [2]]
