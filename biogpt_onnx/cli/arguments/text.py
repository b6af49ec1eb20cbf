"""Arguments that name files of text, and shares."""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from biogpt_onnx.files.formats import STANDARD_INPUT
from biogpt_onnx.runtime.errors import PromptError

_READ_AT_ONCE = 1 << 16


class BinaryStream(Protocol):
    """A buffered stream of bytes."""

    def read1(self, size: int, /) -> bytes:
        """Returns up to `size` bytes of at most one read of what is beneath; none at the end."""
        ...


def share(text: str) -> float:
    """Parses a share that is given as 0.5% or 0.005.

    Raises:
        ArgumentTypeError: The text is no such share.
    """
    number, percent, rest = text.strip().partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    if rest or not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give one such as 0.5% or 0.005")
    return value


def documents(name: str) -> list[str]:
    """Reads the documents of a UTF-8 file, or of standard input for "-": one a line; empty lines are skipped.

    Raises:
        PromptError: The file is not UTF-8, or holds no text.
        OSError: The file cannot be read.
    """
    if name == STANDARD_INPUT:
        texts = list(text_lines(sys.stdin.buffer, "standard input"))
    else:
        with Path(name).open("rb") as file:
            texts = list(text_lines(file, name))
    if not texts:
        raise PromptError(
            f"{'standard input' if name == STANDARD_INPUT else name} holds no text: give a document a line"
        )
    return texts


def text_lines(file: Iterable[bytes], name: str) -> Iterator[str]:
    """Yields the lines of UTF-8 text that are not empty, without their ends.

    Raises:
        PromptError: A line is not UTF-8.
    """
    for _, text in numbered_lines(file, name):
        yield text


def numbered_lines(file: Iterable[bytes], name: str, first: int = 1) -> Iterator[tuple[int, str]]:
    """Yields the numbers, from `first`, and the texts of the lines that `text_lines` yields.

    Raises:
        PromptError: A line is not UTF-8.
    """
    for number, line in enumerate(file, start=first):
        try:
            # Some editors begin a file with a byte order mark, which is no part of its text; files may be joined.
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PromptError(f"line {number} of {name} is not UTF-8 (byte {error.start})") from error
        if text.strip():
            yield number, text.rstrip("\r\n")


def numbered_blocks(file: BinaryStream, name: str, size: int) -> Iterator[list[tuple[int, str]]]:
    """Yields the numbered lines that `numbered_lines` yields, in blocks of those that are there already.

    A program that writes a line and waits for its answer before the next gets that line as a block of one: nothing is
    waited for while a whole line is held back.

    Args:
        file: The stream.
        name: Its name in errors.
        size: The most lines of a block.

    Raises:
        PromptError: A line is not UTF-8; the lines before it have been yielded.
    """
    first = 1
    for lines in _lines_at_hand(file):
        found: list[tuple[int, str]] = []
        problem = None
        try:
            for pair in numbered_lines(lines, name, first):
                found.append(pair)  # noqa: PERF402 -- a bad line must not lose those before it
        except PromptError as error:
            problem = error
        yield from (found[start : start + size] for start in range(0, len(found), size))
        if problem is not None:
            raise problem
        first += len(lines)


def _lines_at_hand(file: BinaryStream) -> Iterator[list[bytes]]:
    """Yields the whole lines of each read, which returns what is there and waits only if there is nothing."""
    begun = bytearray()
    while read := file.read1(_READ_AT_ONCE):
        begun += read
        if b"\n" in read:
            *lines, rest = begun.split(b"\n")
            begun = bytearray(rest)
            yield [bytes(line) for line in lines]
    if begun:
        yield [bytes(begun)]
