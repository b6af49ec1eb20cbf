"""Mutations of inputs, for where atheris is not installed: those that lead to something new are mutated further."""

import random
from collections.abc import Callable, Sequence

_MOST_BYTES = 8192
_MOST_REPEATS = 64
_INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\n", b"\r", b" ", b"-1", b"0")
_NEW_FROM_POOL = 0.7


class Mutator:
    """Makes inputs of inputs.

    Args:
        seeds: good inputs.
        tokens: words that they hold.
        seed: seed of the randomness.
    """

    def __init__(self, seeds: Sequence[bytes], tokens: Sequence[bytes], seed: str) -> None:
        self._pool = [*seeds] or [b""]
        self._tokens = [*tokens, *_INTERESTING]
        self._random = random.Random(seed)  # noqa: S311 -- inputs that can be made again
        self._ways: Sequence[Callable[[bytes], bytes]] = (
            self._flip,
            self._cut,
            self._repeat,
            self._insert,
            self._overwrite,
            self._splice,
            self._number,
            self._truncate,
        )

    def next(self) -> bytes:
        """Returns an input that is changed in one to four ways."""
        data = self._random.choice(self._pool)
        for _ in range(self._random.choice((1, 1, 2, 4))):
            data = self._random.choice(self._ways)(data)[:_MOST_BYTES]
        return data

    def keep(self, data: bytes) -> None:
        """Has an input mutated further."""
        self._pool.append(data)

    def _place(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _range(self, data: bytes) -> tuple[int, int]:
        start = self._place(data)
        return start, min(len(data), start + self._random.choice((1, 2, 4, 16, 64)))

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        place = self._random.randrange(len(data))
        return data[:place] + bytes([data[place] ^ (1 << self._random.randrange(8))]) + data[place + 1 :]

    def _cut(self, data: bytes) -> bytes:
        start, stop = self._range(data)
        return data[:start] + data[stop:]

    def _repeat(self, data: bytes) -> bytes:
        start, stop = self._range(data)
        return data[:start] + data[start:stop] * self._random.randrange(2, _MOST_REPEATS) + data[stop:]

    def _insert(self, data: bytes) -> bytes:
        place = self._place(data)
        return data[:place] + self._random.choice(self._tokens) + data[place:]

    def _overwrite(self, data: bytes) -> bytes:
        # Where fields have fixed places, what is put between moves all behind it. Such places are mostly even ones.
        place, token = self._place(data) & -self._random.choice((1, 4)), self._random.choice(self._tokens)
        return data[:place] + token + data[place + len(token) :]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._pool)
        return data[: self._place(data)] + other[self._place(other) :]

    def _number(self, data: bytes) -> bytes:
        start, stop = self._range(data)
        number = self._random.choice((0, -1, 2**31, 2**63, 10**30, self._random.randrange(1000)))
        return data[:start] + str(number).encode() + data[stop:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._place(data)]
