import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.selection.sampler import (
    generators,
    log_probabilities,
    log_sum_exp,
    most_likely,
    sample,
)

PROBABILITIES = [0.5, 0.0, 0.25, 0.15, 0.0, 0.1, 0.0]


class Chance(np.random.Generator):
    """A generator that draws one number, always the same."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._number = number

    def random(self) -> float:  # type: ignore[override]
        return self._number


def log(probabilities: list[float]) -> npt.NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.log(np.array([probabilities], dtype=np.float32))


def draws(logits: npt.NDArray[np.float32], seed: int, count: int) -> list[int]:
    random = generators(seed, 1)
    return [int(sample(logits, random)[0]) for _ in range(count)]


def chi_square(counts: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> float:
    expected = probabilities * counts.sum()
    return float(((counts - expected) ** 2 / expected).sum())


def test_the_most_likely_token_is_the_first_of_equal_ones() -> None:
    assert most_likely(np.array([[1, 3, 3], [5, 2, 1]], dtype=np.float32)).tolist() == [1, 0]


def test_log_probabilities_keep_their_digits_over_a_large_vocabulary() -> None:
    logits = (np.random.default_rng(0).standard_normal((3, 42_384)) * 4 + [[0], [50], [-50]]).astype(np.float32)
    exact = logits.astype(np.float64)
    expected = np.log(np.exp(exact).sum(axis=-1))
    assert np.allclose(log_sum_exp(logits), expected, rtol=0, atol=1e-6)
    tokens = np.array([5, 6, 7])
    assert np.allclose(log_probabilities(logits, tokens), exact[range(3), tokens] - expected, rtol=0, atol=1e-6)


def test_a_row_that_allows_nothing_sums_to_nothing() -> None:
    logits = np.array([[-np.inf, -np.inf], [0, -np.inf]], dtype=np.float32)
    assert log_sum_exp(logits).tolist() == [-np.inf, 0]


def test_tokens_come_as_often_as_they_are_likely() -> None:
    counts = np.bincount(draws(log(PROBABILITIES), seed=0, count=20_000), minlength=7)
    possible = np.array(PROBABILITIES) > 0
    assert not counts[~possible].any()
    # With three degrees of freedom, exceeded once in a thousand times.
    assert chi_square(counts[possible], np.array(PROBABILITIES)[possible]) < 16.3


def test_tokens_of_a_large_vocabulary_come_as_often_as_they_are_likely() -> None:
    logits = (np.random.default_rng(1).standard_normal((1, 42_384)) * 2).astype(np.float32)
    probabilities = np.exp(logits[0].astype(np.float64))
    probabilities /= probabilities.sum()
    tenths = np.arange(42_384) * 10 // 42_384
    counts = np.bincount(tenths[draws(logits, seed=0, count=1_000)], minlength=10)
    # With nine degrees of freedom, exceeded once in a thousand times.
    assert chi_square(counts, np.bincount(tenths, probabilities).astype(np.float64)) < 27.9


def test_the_same_seed_draws_the_same_tokens_and_another_others() -> None:
    logits = np.zeros((1, 1000), dtype=np.float32)
    assert draws(logits, seed=7, count=8) == draws(logits, seed=7, count=8)
    assert draws(logits, seed=7, count=8) != draws(logits, seed=8, count=8)


def test_a_sample_depends_on_its_seed_and_number_alone() -> None:
    few, many = generators(7, 2), generators(7, 5)
    numbers = [generator.random() for generator in many]
    assert [generator.random() for generator in few] == numbers[:2]
    assert len(set(numbers)) == 5


def test_the_numbers_of_a_seed_are_the_same_in_every_version() -> None:
    assert [generator.random() for generator in generators(0, 2)] == [0.9429375528828794, 0.6771968569751019]


def test_without_a_seed_samples_differ_each_time() -> None:
    numbers = [generator.random() for _ in range(3) for generator in generators(None, 2)]
    assert len(set(numbers)) == 6


def test_a_row_draws_what_it_would_alone() -> None:
    logits = (np.random.default_rng(2).standard_normal((3, 500)) * 2).astype(np.float32)
    random = generators(3, 3)
    together = [sample(logits, random).tolist() for _ in range(5)]
    for row, generator in enumerate(generators(3, 3)):
        assert [int(sample(logits[row, None], [generator])[0]) for _ in range(5)] == [step[row] for step in together]


def test_a_token_takes_one_number_from_its_generator() -> None:
    used, other = generators(0, 1)[0], generators(0, 1)[0]
    sample(log(PROBABILITIES), [used])
    other.random()
    assert used.random() == other.random()


@pytest.mark.parametrize(
    ("number", "token"),
    [(0.0, 0), (0.4999, 0), (0.5001, 2), (0.7499, 2), (0.7501, 3), (0.8999, 3), (0.9001, 5), (1 - 2**-53, 5), (1.0, 5)],
)
def test_a_number_leads_to_the_token_in_whose_part_it_falls(number: float, token: int) -> None:
    assert sample(log(PROBABILITIES), [Chance(number)]).tolist() == [token]


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_a_token_that_is_excluded_or_hopeless_is_not_drawn(number: float) -> None:
    logits = np.array([[-np.inf, -2000, 3, -2000, -np.inf]], dtype=np.float32)
    assert sample(logits, [Chance(number)]).tolist() == [2]
