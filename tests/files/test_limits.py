"""The limits of documents are those that the documentation names."""

import re
from pathlib import Path

import pytest

from biogpt_onnx.files import rows
from biogpt_onnx.files.rows import RowError, checked_row
from biogpt_onnx.tasks.document import Document

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def documented(pattern: str) -> int:
    found = re.search(pattern, PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1].replace(",", ""))


def test_a_document_may_be_as_long_as_it_says() -> None:
    most = documented(r"a document of more than ([\d,]+) characters")
    assert checked_row(1, Document("x" * (most - 1), title="y")).problem is None
    with pytest.raises(RowError, match=f"the document has {most + 1:,} characters, of which {most:,} are read at most"):
        checked_row(1, Document("x" * most, title="y"))


def test_a_line_may_be_as_long_as_it_says() -> None:
    assert documented(r"a line or BioC document of more than (\d+) MiB") * 2**20 == rows.MAX_ROW_BYTES
