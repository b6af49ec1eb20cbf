"""Inputs of one megabyte, made of small ones, by which a reader shows how time and memory grow with the size."""

import random
from collections.abc import Iterator, Sequence

MEGABYTE = 1_000_000
_CHUNKS = 4
_BRACKETS = (
    b"[",
    b"{",
    b'{"a":',
    b"<a>",
    b"(",
    b"((",
    b'"',
    b"'",
    b" ",
    b"\n",
    b"\t",
    b",",
    b"0",
    b"1",
    b"a",
    b"\\",
    b"|",
)
_UTF_8 = ("\u0301".encode(), "\u00e9".encode(), "\U0001f600".encode(), b"\xff", b"\0")


def inflated(inputs: Sequence[bytes], tokens: Sequence[bytes], seed: str) -> Iterator[bytes]:
    """Yields inputs of one megabyte: words repeated, inputs repeated, and inputs of which a part is repeated.

    Args:
        inputs: small inputs.
        tokens: words that they hold.
        seed: seed of what is repeated.
    """
    for unit in (*_BRACKETS, *_UTF_8, *tokens):
        yield _repeated(unit)
    randomness = random.Random(seed)  # noqa: S311 -- inputs that can be made again
    for data in filter(None, inputs):
        yield _repeated(data)
        for _ in range(_CHUNKS):
            start = randomness.randrange(len(data))
            stop = min(len(data), start + randomness.choice((1, 1, 4, 16, 64)))
            yield data[:start] + _repeated(data[start:stop])[: MEGABYTE - len(data)] + data[stop:]


def _repeated(unit: bytes) -> bytes:
    return unit * (MEGABYTE // len(unit))
