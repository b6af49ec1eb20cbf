"""Cutting documents into work units of about the same number of tokens."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from biogpt_onnx.corpus.run import UNIT_SUFFIX, Unit
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.runtime.system.files import flush


def cut(
    lines: Iterable[tuple[str, int]], num_documents: int, num_characters: int, unit_documents: int
) -> Iterator[list[tuple[str, int]]]:
    """Divides documents, in their order, into units whose numbers of characters differ by at most a document's.

    Characters stand for tokens: a document's time grows with its tokens, which only a bundle's tokenizer could count.

    Args:
        lines: The line of each document with its number of characters, at least 1.
        num_documents: Number of all documents.
        num_characters: Number of all their characters.
        unit_documents: The number of documents that a unit has on average, at most.

    Yields:
        The documents of each unit; one unit is in memory at a time.
    """
    num_units = -(-num_documents // unit_documents)
    unit: list[tuple[str, int]] = []
    taken, behind = 0, 1
    for line, characters in lines:
        # A document belongs to the share of the whole in which its middle lies.
        if unit and (taken + characters / 2) * num_units >= behind * num_characters:
            yield unit
            unit = []
        taken += characters
        unit.append((line, characters))
        while (taken - characters / 2) * num_units >= behind * num_characters:
            behind += 1
    if unit:
        yield unit


def write_units(units: Iterable[list[tuple[str, int]]], folder: Path, index: Path) -> Iterator[Unit]:
    """Writes each unit into a file of its own and a line about it into the index.

    Args:
        units: The documents of each unit.
        folder: The folder of the units' files.
        index: The file of the lines about them.

    Yields:
        What was written.
    """
    with index.open("x", encoding="utf-8", newline="\n") as lines:
        for number, documents in enumerate(units):
            content = "".join(line for line, _ in documents).encode()
            characters = sum(each for _, each in documents)
            unit = Unit(number, len(documents), characters, hashlib.sha256(content).hexdigest())
            with (folder / f"{unit.name}{UNIT_SUFFIX}").open("xb") as stream:
                stream.write(content)
                stream.flush()
                flush(stream.fileno())
            lines.write(
                json_line(
                    {
                        "number": unit.number,
                        "documents": unit.documents,
                        "characters": unit.characters,
                        "sha256": unit.sha256,
                    }
                )
            )
            yield unit
        lines.flush()
        flush(lines.fileno())
