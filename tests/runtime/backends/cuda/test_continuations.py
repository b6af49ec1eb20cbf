"""Choices in rows of their own score what they score in a tree."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biogpt_onnx.runtime.backends import chunks
from biogpt_onnx.runtime.backends.continuation_tree import ROOT, ContinuationTree
from biogpt_onnx.runtime.backends.cpu.trees.continuations import score_with_prompt
from biogpt_onnx.runtime.backends.cuda import backend as cuda_backend
from biogpt_onnx.runtime.backends.cuda.continuations import score_in_rows
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each
from makers.models import DeviceFake, FakeCache, FakeModel

VOCAB = 30


def logits_after(past: list[int]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(past).normal(0, 2, VOCAB).astype(np.float32)


class Counting(DeviceFake):
    """Remembers what it was asked at a time."""

    def __init__(self) -> None:
        super().__init__(logits_after, VOCAB, max_positions=60)
        self.sequences: list[list[Sequence[int]]] = []

    def log_probabilities(
        self, sequences: Sequence[Sequence[int]], requested: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        self.sequences.append(list(sequences))
        return super().log_probabilities(sequences, requested)


sequences_of_tokens = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=8)
prompts = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=4)


@given(prompts, sequences_of_tokens)
@settings(deadline=None, max_examples=60)
def test_each_prompt_has_the_scores_that_it_has_in_a_tree(prompts: list[list[int]], sequences: list[list[int]]) -> None:
    model, tree = Counting(), FakeModel(logits_after, VOCAB, max_positions=60)
    found = score_in_rows(model, prompts, sequences)
    for prompt, rows in zip(prompts, found, strict=True):
        cache: FakeCache = tree.new_cache(1, 60)
        expected = score_with_prompt(tree, cache, prompt, sequences, Limits())
        for scores, right in zip(rows, expected, strict=True):
            assert scores == pytest.approx(right, abs=1e-5)
    assert len(model.sequences) == 1


@given(sequences_of_tokens)
def test_chains_lead_through_every_node_from_parents_to_children(sequences: list[list[int]]) -> None:
    nodes = ContinuationTree(sequences)
    chains = nodes.paths_to_leaves()
    assert {node for chain in chains for node in chain} == set(range(len(nodes.tokens)))
    for chain in chains:
        assert [nodes.parents[node] for node in chain] == [ROOT, *chain][: len(chain)]
    for one in chains:
        assert not any(one == other[: len(one)] for other in chains if other is not one)


def test_a_row_is_read_for_each_end_and_last_tokens_are_not_read() -> None:
    model = Counting()
    score_in_rows(model, [[2, 7], [2]], [[4, 5, 6], [4, 5, 7], [4, 8], [9], [3, 3]])
    assert model.sequences == [[[2, 7, 4, 5], [2, 7, 3], [2, 4, 5], [2, 3]]]


def test_single_tokens_take_no_more_than_the_prompt() -> None:
    model = Counting()
    score_in_rows(model, [[2, 7]], [[4], [5], [6]])
    assert model.sequences == [[[2, 7]]]


def test_on_a_device_choices_of_all_prompts_are_asked_for_at_once_and_bring_no_logits() -> None:
    model, cpu = Counting(), FakeModel(logits_after, VOCAB, max_positions=60)
    asked, texts, token_ids = [((2, 7), None), ((2, 8, 9), None)], ["a", "b"], [(4, 5), (6,)]
    ours, theirs = (choices_after_each(one.backend, asked, texts, token_ids) for one in (model, cpu))
    assert len(model.sequences) == 1
    for mine, other in zip(ours, theirs, strict=True):
        assert [choice.text for choice in mine.choices] == [choice.text for choice in other.choices]
        assert mine.best.log_probability == pytest.approx(other.best.log_probability, abs=1e-5)
    assert model.brought == 0


@pytest.mark.parametrize("prompt", [(2,), (2, 7), (2, 7, 8, 9, 10, 11)])
def test_a_text_is_read_in_pieces_on_a_device_and_brings_no_logits(
    monkeypatch: pytest.MonkeyPatch, prompt: tuple[int, ...]
) -> None:
    monkeypatch.setattr(cuda_backend, "_SCORED_TOKENS", 4)
    monkeypatch.setattr(chunks, "CHUNK_TOKENS", 4)
    model, cpu = Counting(), FakeModel(logits_after, VOCAB, max_positions=60)
    text = (4, 5, 6, 7, 9)
    found, expected = (list(one.backend.score_tokens(prompt, None, text)) for one in (model, cpu))
    assert found == pytest.approx(expected, abs=1e-5)
    assert (model.brought, max(tokens for _, tokens in model.shapes)) == (0, 4)
