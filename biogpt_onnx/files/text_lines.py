"""Plain text: a document a line."""

import io
from collections.abc import Iterator

from biogpt_onnx.files.item import Item, RowError, good_item
from biogpt_onnx.files.lines import lines_of
from biogpt_onnx.tasks.document import Document


def read_text_lines(stream: io.BufferedReader, name: str) -> Iterator[Item]:
    """The documents of a text file; blank lines are skipped.

    Raises:
        DocumentError: it is no text.
    """
    for line in lines_of(stream, name):
        if line.problem is not None:
            yield Item(line.number, None, line.problem)
        elif line.content.strip():
            try:
                yield good_item(line.number, Document(line.content))
            except RowError as error:
                yield Item(line.number, None, str(error))
