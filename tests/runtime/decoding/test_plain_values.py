"""Values of other libraries are Python's own, and an error message shows no more of them than fits."""

from fractions import Fraction

import numpy as np

from biogpt_onnx.runtime.decoding.plain_values import plain_number, plain_sequence, shown


def test_a_long_value_is_shown_up_to_what_fits_and_a_short_one_as_it_is() -> None:
    text = "a stop string of some length " * 10
    assert shown(text) == repr(text)[:118] + " …"
    assert shown("x" * 118) == repr("x" * 118)
    assert shown("x" * 119) == "'" + "x" * 117 + " …"


def test_a_value_of_several_lines_is_shown_in_one() -> None:
    assert shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"


def test_a_number_that_no_float_holds_stays_as_it_is() -> None:
    huge = Fraction(10**400)
    assert plain_number(huge) is huge
    half = plain_number(Fraction(1, 2))
    assert (half, type(half)) == (0.5, float)


def test_numbers_of_numpy_are_pythons_own() -> None:
    for value, kind in ((np.int64(3), int), (np.float32(0.5), float), (np.eye(1).all(), bool), (np.array(4), int)):
        plain = plain_number(value)
        assert (plain, type(plain)) == (value, kind)
    assert plain_number("3") == "3"
    array = np.array([1, 2])
    assert plain_number(array) is array


def test_texts_and_sets_are_no_sequences() -> None:
    assert plain_sequence(np.array([1, 2])) == [1, 2]
    assert plain_sequence((1, 2)) == (1, 2)
    for value in ("12", b"12", bytearray(b"12"), memoryview(b"12"), {1, 2}, 3, np.array(3)):
        assert plain_sequence(value) is None
