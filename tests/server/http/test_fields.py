"""Fields are taken with their types and bounds; what nobody took is refused."""

from collections.abc import Callable

import pytest

from biogpt_onnx.server.http.errors import ApiError
from biogpt_onnx.server.http.fields import Fields

Read = Callable[[Fields], object]


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("x", lambda fields: fields.text("a"), "x"),
        (None, lambda fields: fields.text("a"), None),
        ("x", lambda fields: fields.texts("a", 2), ["x"]),
        (["x", "y"], lambda fields: fields.texts("a", 2), ["x", "y"]),
        (3, lambda fields: fields.integer("a", 0, 3), 3),
        (3.0, lambda fields: fields.integer("a"), 3),
        (0.5, lambda fields: fields.number("a", 0, 1), 0.5),
        (True, lambda fields: fields.flag("a"), True),
        ("y", lambda fields: fields.one_of("a", ("x", "y")), "y"),
        ({"b": 1}, lambda fields: fields.nested("a").integer("b"), 1),
        (None, lambda fields: fields.nested("a"), None),
        ([1, 2], lambda fields: fields.items("a", 2, lambda name, item: (name, item)), [("a[0]", 1), ("a[1]", 2)]),
    ],
)
def test_a_good_value_is_taken(value: object, read: Read, expected: object) -> None:
    fields = Fields({"a": value})
    assert read(fields) == expected
    fields.done()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, lambda fields: fields.text("a")),
        ("xyz", lambda fields: fields.text("a", 2)),
        ("\ud800", lambda fields: fields.text("a")),
        (None, lambda fields: fields.required_text("a")),
        ([], lambda fields: fields.texts("a", 2)),
        (["x", 1], lambda fields: fields.texts("a", 2)),
        (["x", "y", "z"], lambda fields: fields.texts("a", 2)),
        (True, lambda fields: fields.integer("a")),
        ("3", lambda fields: fields.integer("a")),
        (3.5, lambda fields: fields.integer("a")),
        (-1, lambda fields: fields.integer("a")),
        (4, lambda fields: fields.integer("a", 0, 3)),
        (2**63, lambda fields: fields.integer("a")),
        (True, lambda fields: fields.number("a", 0, 1)),
        ("0.5", lambda fields: fields.number("a", 0, 1)),
        (1.5, lambda fields: fields.number("a", 0, 1)),
        (10**400, lambda fields: fields.number("a", 0, 1)),
        (1, lambda fields: fields.flag("a")),
        ("z", lambda fields: fields.one_of("a", ("x", "y"))),
        (["x"], lambda fields: fields.one_of("a", ("x", "y"))),
        ([], lambda fields: fields.nested("a")),
        ({}, lambda fields: fields.items("a", 2, lambda name, item: (name, item))),
        ([], lambda fields: fields.items("a", 2, lambda name, item: (name, item))),
        ([1, 2, 3], lambda fields: fields.items("a", 2, lambda name, item: (name, item))),
        (1, lambda fields: fields.refuse("a", [0], "do without")),
    ],
)
def test_a_bad_value_is_an_error_of_that_field(value: object, read: Read) -> None:
    with pytest.raises(ApiError, match=r"^a ") as caught:
        read(Fields({"a": value}))
    assert caught.value.status == 400
    assert caught.value.param == "a"


@pytest.mark.parametrize("value", [None, 0, 0.0])
def test_a_neutral_value_of_what_is_not_supported_is_taken(value: object) -> None:
    fields = Fields({"a": value})
    fields.refuse("a", [0, 0.0], "do without")
    fields.done()


def test_false_is_no_zero() -> None:
    with pytest.raises(ApiError, match="not supported: do without"):
        Fields({"a": False}).refuse("a", [0, 0.0], "do without")


def test_a_field_that_nobody_took_is_refused_with_the_one_that_was_meant() -> None:
    fields = Fields({"max_token": 3})
    fields.integer("max_tokens")
    with pytest.raises(ApiError, match="'max_token' is not known here: did you mean max_tokens"):
        fields.done()


def test_names_of_nested_fields_are_whole() -> None:
    with pytest.raises(ApiError, match=r"^outer\.inner must be a whole number$") as caught:
        Fields({"outer": {"inner": "x"}}).nested("outer").integer("inner")  # type: ignore[union-attr]
    assert caught.value.param == "outer.inner"
