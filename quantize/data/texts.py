"""Built-in biomedical texts for users who give none: to calibrate, to search and to evaluate with.

All were written for this purpose. No passage stands in two files, so that no recipe is calibrated or searched on what
it is evaluated on.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from biogpt_onnx.runtime.errors import BioGptError

_REMEDY = "install biogpt-onnx again"

_CALIBRATION_DIGEST = "e5d3c7141835cf7eccb75d28c9ae2f7c1efb7f3625c951cf05c64ab70336a732"
_SEARCH_DIGEST = "73c450fc56cadc9ba945730a9a401f200478111eab7bd5ac383f5f6fb10b2553"
_EVALUATION_DIGEST = "945d858906cbc54210999bc1145f089b0450de3d0166cca53083b2cdb0b5c77c"


class BuiltInTextError(BioGptError, RuntimeError):
    """A file of built-in text is missing or damaged, so the installation is."""


@cache
def calibration_texts() -> tuple[str, ...]:
    """Returns the passages to calibrate with.

    Raises:
        BuiltInTextError: the file is missing or damaged.
    """
    return read_passages(_file("calibration.txt"), _CALIBRATION_DIGEST)


@cache
def search_texts() -> tuple[str, ...]:
    """Returns the passages that the recipe `auto` searches with, beside those to calibrate with.

    Raises:
        BuiltInTextError: the file is missing or damaged.
    """
    return read_passages(_file("search.txt"), _SEARCH_DIGEST)


@cache
def evaluation_texts() -> tuple[str, ...]:
    """Returns the documents to evaluate with.

    Raises:
        BuiltInTextError: the file is missing or damaged.
    """
    return read_passages(_file("evaluation.txt"), _EVALUATION_DIGEST)


def texts_digest(texts: Iterable[str]) -> str:
    """Returns the sha256 of texts, each ended by a line break, as hexadecimal digits.

    It is that of a file with a text a line, without empty lines.
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


def read_passages(file: Traversable, digest: str) -> tuple[str, ...]:
    """Reads passages that empty lines separate; line breaks inside a passage count as spaces.

    Args:
        file: UTF-8 text.
        digest: the SHA-256 that the passages must have, one a line, in hexadecimal.

    Raises:
        BuiltInTextError: the file cannot be read, or its passages have another digest.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BuiltInTextError(f"built-in text {file.name} cannot be read ({error}): {_REMEDY}") from error
    passages = tuple(" ".join(passage.split()) for passage in text.split("\n\n"))
    if hashlib.sha256("\n".join(passages).encode()).hexdigest() != digest:
        raise BuiltInTextError(f"built-in text {file.name} is damaged: {_REMEDY}")
    return passages


def _file(name: str) -> Traversable:
    return resources.files(__package__) / name
