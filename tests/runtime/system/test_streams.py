import errno
import io

import pytest

from biogpt_onnx.runtime.system.streams import is_closed_by_reader, write_as_utf8


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16", "ascii"])
def test_everything_that_can_be_printed_is_written_as_the_same_bytes(encoding: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, newline="\r\n")
    write_as_utf8(stream)
    # Text, a byte of a file's name that is no text, and half of a character, as a name on Windows may have.
    print("\u03b2-blocker \u836f", "caf\udce9", "\ud83d.txt", file=stream, flush=True)
    assert written.getvalue() == "\u03b2-blocker \u836f caf".encode() + b"\xe9 \\ud83d.txt\n"


def test_a_stream_of_another_kind_is_left_as_it_is() -> None:
    stream = io.StringIO()
    write_as_utf8(stream)
    print("a", file=stream)
    assert stream.getvalue() == "a\n"


class Broken(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


def test_a_closed_pipe_is_known_by_each_systems_error(request: pytest.FixtureRequest) -> None:
    invalid = OSError(errno.EINVAL, "Invalid argument")
    assert is_closed_by_reader(BrokenPipeError(), io.StringIO())
    assert not is_closed_by_reader(invalid, Broken())
    request.getfixturevalue("windows")
    assert is_closed_by_reader(invalid, Broken())
    # A program whose output is whole has failed for another reason, and must not end as if it had not.
    assert not is_closed_by_reader(invalid, io.StringIO())
    assert not is_closed_by_reader(OSError(errno.EINVAL, "Invalid argument", "x.jsonl"), Broken())
    assert not is_closed_by_reader(OSError(errno.ENOSPC, "No space left"), Broken())
    assert not is_closed_by_reader(invalid, None)
