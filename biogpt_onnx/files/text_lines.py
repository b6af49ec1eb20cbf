"""Plain text: a document a line."""

import io
from collections.abc import Iterator

from biogpt_onnx.files.item import Item
from biogpt_onnx.files.lines import items_of_lines
from biogpt_onnx.tasks.document import Document


def read_text_lines(stream: io.BufferedReader, name: str) -> Iterator[Item]:
    """The documents of a text file; blank lines are skipped.

    Raises:
        DocumentError: it is no text.
    """
    return items_of_lines(stream, name, Document)
