"""The limits of documents are those that the documentation names."""

from pathlib import Path

from biogpt_onnx.files import rows

PAGES = Path(__file__).parents[2] / "docs"


def test_a_document_may_be_as_long_as_it_says() -> None:
    page = (PAGES / "files.md").read_text(encoding="utf-8")
    assert f"a document of more than {rows.MAX_CHARACTERS:,} characters" in page
    mebibytes, rest = divmod(rows.MAX_ROW_BYTES, 2**20)
    assert f"a line or BioC document of more than {mebibytes} MiB" in page
    assert rest == 0
