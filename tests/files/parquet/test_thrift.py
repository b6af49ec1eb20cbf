"""Numbers are found in Thrift's compact protocol, whatever stands between them, and nothing else is taken for one."""

import pytest

from biogpt_onnx.files.parquet import thrift
from biogpt_onnx.files.parquet.thrift import CompactReader, HeaderError

# A value of each type, as the field of a struct has it.
VALUES = {
    "true": (thrift.TRUE, b""),
    "false": (thrift.FALSE, b""),
    "byte": (thrift.BYTE, b"\xff"),
    "int16": (thrift.INT16, b"\x80\x01"),
    "int64": (thrift.INT64, b"\xff" * 9 + b"\x01"),
    "double": (thrift.DOUBLE, b"\0" * 8),
    "binary": (thrift.BINARY, b"\x03\x15\x15\x15"),
    "empty binary": (thrift.BINARY, b"\0"),
    "list of int32": (thrift.LIST, b"\x35\x01\x02\x80\x01"),
    "list of truths": (thrift.LIST, b"\x21\x01\x02"),
    "long list of binaries": (thrift.LIST, b"\xf8\x10" + b"\x01\x15" * 16),
    "set of bytes": (thrift.SET, b"\x23\x15\x15"),
    "empty map": (thrift.MAP, b"\0"),
    "map of binaries to int64": (thrift.MAP, b"\x01\x86\x01\x15\x02"),
    "list of structs": (thrift.LIST, b"\x2c\x15\x02\0\x15\x04\0"),
    "struct": (thrift.STRUCT, b"\x15\x02\x1c\x15\x02\0\0"),
}


def pass_over(data: bytes) -> None:
    reader = CompactReader(data)
    for _, each in reader.fields():
        reader.skip(each)


@pytest.mark.parametrize("name", VALUES)
def test_the_field_behind_any_value_is_found(name: str) -> None:
    kind, value = VALUES[name]
    # The field behind it has a number that is so much larger that it is written by itself.
    data = bytes([0x10 | kind]) + value + b"\x05\xc8\x01\x0d" + b"\0" + b"more"
    reader = CompactReader(data)
    found = {}
    for number, each in reader.fields():
        if each == thrift.INT32 and number == 100:
            found[number] = reader.integer(32)
        else:
            reader.skip(each)
    assert found == {100: -7}
    assert data[reader.place :] == b"more"


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_is_cut_has_no_end(name: str) -> None:
    kind, value = VALUES[name]
    for end in range(len(value) + 1):
        with pytest.raises(HeaderError, match="no end"):
            pass_over(bytes([0x10 | kind]) + value[:end])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x1d\0", "cannot be read"),
        (b"\x19\x1d\0", "cannot be read"),
        (b"\x19\x10\0", "cannot be read"),
        (b"\x1c" * 40, "cannot be read"),
        (b"\x19\x1f" * 40, "cannot be read"),
        (b"\x19" + b"\x19" * 40, "cannot be read"),
        (b"\x16" + b"\x80" * 10 + b"\x01", "too large"),
        (b"\x16" + b"\xff" * 9 + b"\x7f", "too large"),
        (b"\x18\xff\xff\xff\xff\x0f", "too large"),
        (b"\x05\x80\x80\x08\x02", "too large"),
        (b"\x19\xf3\xff\xff\xff\xff\x07\0", "no end"),
        (b"\x19\xfc\xff\xff\xff\xff\x07\0", "no end"),
        (b"\x1b\xff\xff\xff\xff\x07\x33", "no end"),
    ],
)
def test_what_is_no_header_is_refused_at_once(data: bytes, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        pass_over(data)


@pytest.mark.parametrize(("value", "number"), [(b"\0", 0), (b"\x01", -1), (b"\xfe\xff\xff\xff\x0f", 2**31 - 1)])
def test_integers_have_signs(value: bytes, number: int) -> None:
    assert CompactReader(value).integer(32) == number


def test_an_integer_of_more_bits_is_refused() -> None:
    with pytest.raises(HeaderError, match="too large"):
        CompactReader(b"\xff\xff\xff\xff\x1f").integer(32)
