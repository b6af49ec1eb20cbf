from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.processors import LogitsProcessor
from biogpt_onnx.runtime.decoding.processors.distribution import (
    EpsilonCutoff,
    EtaCutoff,
    MinP,
    Temperature,
    TopK,
    TopP,
    Typical,
)

VOCAB_SIZE = 42_384

CUTS: dict[str, Callable[[], LogitsProcessor]] = {
    "top_k": lambda: TopK(3),
    "top_p": lambda: TopP(0.7),
    "min_p": lambda: MinP(0.3),
    "typical_p": lambda: Typical(0.7),
    "epsilon_cutoff": lambda: EpsilonCutoff(0.1),
    "eta_cutoff": lambda: EtaCutoff(0.1),
}
all_cuts = pytest.mark.parametrize("make", CUTS.values(), ids=CUTS)


def kept(rule: LogitsProcessor, probabilities: Sequence[float]) -> list[int]:
    logits = np.log(np.array([probabilities], dtype=np.float32)) + 3
    rule([], logits)
    return np.flatnonzero(logits[0] > -np.inf).tolist()


def random_logits(rows: int = 1, vocab_size: int = VOCAB_SIZE) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(0).standard_normal((rows, vocab_size)) * 4).astype(np.float32)


def test_temperature_divides() -> None:
    logits = np.array([[1, -2, -np.inf]], dtype=np.float32)
    Temperature(0.5)([], logits)
    assert logits.tolist() == [[2, -4, -np.inf]]


def test_at_the_lowest_temperature_the_most_likely_token_is_as_good_as_certain() -> None:
    logits = random_logits()
    best = logits.argmax()
    Temperature(1e-300)([], logits)
    assert np.isfinite(logits).all()
    assert np.sort(logits[0])[-2] < logits[0, best] - 100


def test_top_k_keeps_the_most_likely_and_all_that_tie_with_the_last() -> None:
    assert kept(TopK(2), [0.1, 0.4, 0.2, 0.3]) == [1, 3]
    assert kept(TopK(2), [0.2, 0.4, 0.2, 0.2]) == [0, 1, 2, 3]
    assert kept(TopK(3), [0.1, 0.4, 0.2, 0.3]) == [1, 2, 3]
    assert kept(TopK(4), [0.1, 0.4, 0.2, 0.3]) == [0, 1, 2, 3]
    assert kept(TopK(9), [0.2, 0.8]) == [0, 1]


def test_top_p_keeps_tokens_until_their_probabilities_reach_it() -> None:
    assert kept(TopP(0.75), [0.1, 0.4, 0.2, 0.3]) == [1, 2, 3]
    assert kept(TopP(0.65), [0.1, 0.4, 0.2, 0.3]) == [1, 3]
    assert kept(TopP(0.01), [0.1, 0.4, 0.2, 0.3]) == [1]


def test_top_p_keeps_no_more_equal_tokens_than_it_takes() -> None:
    assert kept(TopP(0.45), [0.25] * 4) == [2, 3]
    assert kept(TopP(0.5), [0.25] * 4) == [2, 3]
    assert kept(TopP(0.75), [0.1, 0.4, 0.1, 0.3, 0.1]) == [1, 3, 4]


def test_min_p_keeps_what_is_likely_enough_beside_the_most_likely() -> None:
    assert kept(MinP(0.4), [0.1, 0.4, 0.2, 0.3]) == [1, 2, 3]
    assert kept(MinP(1.0), [0.1, 0.4, 0.2, 0.3]) == [1]


def test_typical_sampling_may_drop_the_most_likely_token() -> None:
    probabilities = [0.3, *[0.07] * 10]
    assert kept(Typical(0.5), probabilities) == list(range(1, 11))
    assert kept(Typical(0.8), probabilities) == list(range(11))


def test_epsilon_keeps_probable_tokens_and_the_best_of_improbable_ones() -> None:
    assert kept(EpsilonCutoff(0.15), [0.1, 0.4, 0.2, 0.3]) == [1, 2, 3]
    assert kept(EpsilonCutoff(0.9), [0.1, 0.4, 0.2, 0.3]) == [1]
    assert kept(EpsilonCutoff(0.25), [0.25] * 4) == [0, 1, 2, 3]


def test_eta_cuts_less_where_the_distribution_is_flat() -> None:
    assert kept(EtaCutoff(0.09), [0.08, 0.84, 0.08]) == [1]
    assert kept(EtaCutoff(0.09), [0.08] * 12 + [0.04]) == list(range(13))


@all_cuts
def test_the_logits_that_stay_are_not_changed(make: Callable[[], LogitsProcessor]) -> None:
    logits = random_logits(rows=3)
    raw = logits.copy()
    make()([], logits)
    stays = logits > -np.inf
    assert stays.any(axis=1).all()
    assert not stays.all()
    assert np.array_equal(logits[stays], raw[stays])


@all_cuts
def test_a_row_is_cut_as_if_it_were_alone(make: Callable[[], LogitsProcessor]) -> None:
    together = random_logits(rows=3, vocab_size=100)
    alone = [row[None].copy() for row in together]
    make()([], together)
    for row in alone:
        make()([], row)
    assert np.array_equal(together, np.concatenate(alone))


@all_cuts
def test_a_row_that_allows_nothing_is_left_to_its_search(make: Callable[[], LogitsProcessor]) -> None:
    logits = np.full((2, 8), -np.inf, dtype=np.float32)
    logits[1, 3] = 5
    raw = logits.copy()
    make()([], logits)
    assert np.array_equal(logits, raw)


@all_cuts
def test_excluded_tokens_neither_count_nor_come_back(make: Callable[[], LogitsProcessor]) -> None:
    few = random_logits(vocab_size=6)
    many = np.full((1, VOCAB_SIZE), -np.inf, dtype=np.float32)
    many[0, 7::9000] = few[0, :5]
    few = few[:, :5].copy()
    make()([], few)
    make()([], many)
    assert np.array_equal(many[0, 7::9000], few[0])
    assert np.count_nonzero(many > -np.inf) == np.count_nonzero(few > -np.inf)


@all_cuts
def test_equally_likely_tokens_and_wild_logits_leave_something_to_draw(make: Callable[[], LogitsProcessor]) -> None:
    for logits in (
        np.zeros((1, VOCAB_SIZE), dtype=np.float32),
        np.full((1, 5), -1e12, dtype=np.float32),
        np.array([[1e12, 0, -1e12, -np.inf]], dtype=np.float32),
    ):
        make()([], logits)
        assert (logits > -np.inf).any()
        assert not np.isnan(logits).any()


@pytest.mark.parametrize("spread", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_top_p_finds_the_fewest_tokens_in_a_large_vocabulary(share: float, spread: float) -> None:
    logits = random_logits() * np.float32(spread)
    probabilities = np.exp(logits[0].astype(np.float64) - logits.max())
    probabilities /= probabilities.sum()
    TopP(share)([], logits)
    stay = probabilities[logits[0] > -np.inf]
    assert stay.min() > np.delete(probabilities, np.flatnonzero(logits[0] > -np.inf)).max()
    assert stay.sum() > share - 1e-6
    assert stay.sum() - stay.min() < share + 1e-6


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_typical_finds_the_nearest_tokens_in_a_large_vocabulary(share: float) -> None:
    logits = random_logits()
    log_p = logits[0].astype(np.float64) - np.log(np.exp(logits[0].astype(np.float64)).sum())
    distance = np.abs(-log_p + (np.exp(log_p) * log_p).sum())
    Typical(share)([], logits)
    stays = logits[0] > -np.inf
    assert distance[stays].max() < distance[~stays].min() + 1e-5
    assert np.exp(log_p[stays]).sum() > share - 1e-5
    assert np.exp(log_p[stays & (distance < distance[stays].max() - 1e-5)]).sum() < share + 1e-5
