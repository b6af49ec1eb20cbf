"""The advice follows the measurements, and noise does not decide."""

from collections.abc import Sequence

import pytest

from biogpt_onnx.bench.advice.measurements import BundleFacts, Measurement, Times
from biogpt_onnx.bench.advice.recommending import Recommendation, is_faster, recommend, worth_measuring

MEGABYTE = 10**6


def measured(  # noqa: PLR0913 -- what differs
    name: str,
    threads: int = 2,
    prompt: Sequence[float] = (1.0, 1.0, 1.0),
    step: float = 0.05,
    batch: float = 0.1,
    *,
    memory: int = 400,
    quality: float | None = 0.001,
    holds_rows_apart: bool = True,
) -> Measurement:
    bundle = BundleFacts(name, name, memory * MEGABYTE, quality, name == "fp32", holds_rows_apart)
    rounds = {number: Times(each, step, 2 * step, batch) for number, each in enumerate(prompt)}
    return Measurement(bundle, threads, rounds, memory * MEGABYTE)


def by_use(measurements: Sequence[Measurement]) -> dict[str, Recommendation]:
    return {each.use: each for each in recommend(measurements)}


def test_each_use_has_its_own_best() -> None:
    reader = measured("int8", prompt=[0.4] * 3, step=0.05, batch=0.1, memory=500)
    writer = measured("int4", prompt=[0.9] * 3, step=0.03, batch=0.2, memory=300)
    original = measured("fp32", prompt=[1.5] * 3, step=0.2, batch=0.3, memory=1500, quality=None)
    found = by_use([original, reader, writer])
    assert {use: each.best.bundle.name for use, each in found.items()} == {
        "short_answers": "int4",
        "long_texts": "int8",
        "many_requests": "int8",
        "least_memory": "int4",
    }
    assert found["short_answers"].seconds == pytest.approx(0.9 + 32 * 0.03)
    assert found["many_requests"].seconds == pytest.approx(8 * 0.4 + 32 * 0.1)
    assert found["long_texts"].next_best is writer
    assert found["long_texts"].ratio == pytest.approx(0.9 / 0.4)
    assert found["least_memory"].num_bytes == 300 * MEGABYTE
    assert found["least_memory"].ratio == pytest.approx(500 / 300)
    assert all(each.equal == () for each in found.values())


def test_what_was_not_faster_in_every_round_is_equal_and_the_smaller_one_is_taken() -> None:
    quick = measured("int8", prompt=[0.5, 1.2, 0.5], memory=500)
    small = measured("int4", prompt=[1.0, 1.0, 1.0], memory=300)
    assert not is_faster(quick, small, lambda times: times.prompt)
    found = by_use([quick, small])["long_texts"]
    assert found.best is small
    assert found.equal == (quick,)
    assert found.next_best is None


def test_a_small_difference_is_none_even_in_every_round() -> None:
    one, other = measured("int8", prompt=[0.96] * 3, memory=500), measured("int4", prompt=[1.0] * 3, memory=300)
    assert by_use([one, other])["long_texts"].best is other
    one.rounds |= {number: Times(0.94, 0.05, 0.1, 0.1) for number in range(3)}
    assert by_use([one, other])["long_texts"].best is one


def test_a_slow_phase_of_the_machine_decides_nothing() -> None:
    # Both took three times as long in the second round; their ratio stayed.
    one = measured("int8", prompt=[0.8, 2.4, 0.8])
    other = measured("int4", prompt=[1.0, 3.0, 1.0])
    found = by_use([one, other])["long_texts"]
    assert (found.best, found.next_best) == (one, other)
    assert found.ratio == pytest.approx(1.25)


def test_one_disturbed_round_is_not_the_median() -> None:
    one, other = measured("int8", prompt=[0.5, 5.0, 0.5]), measured("int4", prompt=[1.0, 1.0, 1.0])
    found = by_use([one, other])["long_texts"]
    assert {found.best.bundle.name, *(each.bundle.name for each in found.equal)} == {"int8", "int4"}


def test_of_equals_the_proven_one_is_taken_before_the_smaller() -> None:
    unproven = measured("int4", memory=300, quality=None)
    proven = measured("int8", memory=500)
    assert by_use([unproven, proven])["short_answers"].best is proven
    assert not unproven.bundle.is_proven
    assert measured("fp32", quality=None).bundle.is_proven


def test_of_equal_numbers_of_threads_the_fewest_are_taken() -> None:
    four, two = measured("int8", 4), measured("int8", 2)
    found = by_use([four, two])
    assert [each.best.threads for each in found.values()] == [2, 2, 2, 2]
    assert found["long_texts"].equal == (four,)
    assert found["least_memory"].equal == ()


def test_the_next_best_is_another_bundle_if_there_is_one() -> None:
    best = measured("int8", 2, prompt=[0.5] * 3)
    same, other = measured("int8", 1, prompt=[0.9] * 3), measured("int4", 2, prompt=[1.0] * 3)
    assert by_use([best, same, other])["long_texts"].next_best is other
    assert by_use([best, same])["long_texts"].next_best is same


def test_memory_that_is_not_known_is_the_size_of_the_files() -> None:
    one, other = measured("int8", memory=500), measured("int4", memory=300)
    one.resident_bytes = other.resident_bytes = 0
    found = by_use([one, other])["least_memory"]
    assert (found.best, found.num_bytes, found.work) == (other, 300 * MEGABYTE, "size of its files")


def test_memory_of_nearly_the_same_size_is_decided_by_time() -> None:
    one, other = measured("int8", memory=310, step=0.02), measured("int4", memory=300, step=0.05)
    found = by_use([one, other])["least_memory"]
    assert (found.best, found.equal) == (one, (other,))


def test_only_what_cannot_win_is_left_out_of_further_rounds() -> None:
    best = measured("int8", prompt=[0.5] * 2, step=0.05, batch=0.1)
    hopeless = measured("fp32", prompt=[0.8] * 2, step=0.1, batch=0.2)
    good_at_steps = measured("int4", prompt=[2.0] * 2, step=0.001, batch=0.3)
    assert worth_measuring([best, hopeless, good_at_steps]) == [best, good_at_steps]
    assert worth_measuring([hopeless]) == [hopeless]


def test_a_single_disturbed_turn_leaves_nobody_out() -> None:
    best = measured("int8", prompt=[0.5], step=0.05, batch=0.1)
    disturbed = measured("int4", prompt=[1.0], step=0.1, batch=0.2)
    hopeless = measured("fp32", prompt=[1.25], step=0.125, batch=0.25)
    assert worth_measuring([best, disturbed, hopeless]) == [best, disturbed]
