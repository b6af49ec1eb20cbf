"""gzip is unpacked as it is read, whatever the file's name, and no bomb fills memory or time."""

import gzip
import io
import random
import zlib
from pathlib import Path

import pytest

from biogpt_onnx.files.formats import Format
from biogpt_onnx.files.opening import gunzip
from biogpt_onnx.files.reading import detect_format, read_documents
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, save

CONTENT = {
    "a.txt": "X\nY\n",
    "a.jsonl": '{"text": "X"}\n{"text": "Y"}\n',
    "a.json": '[{"text": "X"}, {"text": "Y"}]',
    "a.csv": "text\nX\nY\n",
    "a.tsv": "text\nX\nY\n",
    "a.pubtator": "|t|X\n\n|t|Y\n",
    "a.xml": "<collection><document><id></id><passage><offset>0</offset><text>X</text></passage></document>"
    "<document><id></id><passage><offset>0</offset><text>Y</text></passage></document></collection>",
}
_DRAWN = random.Random(0)  # noqa: S311 -- words
LINES = "".join(f"{_DRAWN.randbytes(40).hex()}\n" for _ in range(2000)).encode()


@pytest.mark.parametrize("name", CONTENT)
def test_every_text_format_is_read_compressed(tmp_path: Path, name: str) -> None:
    path = save(tmp_path, name + ".gz", gzip.compress(CONTENT[name].encode()))
    assert [document.text for document in documents(list(read_documents(path)))] == ["X", "Y"]


def test_a_compressed_file_needs_no_name_and_may_have_several_members(tmp_path: Path) -> None:
    path = save(tmp_path, "a.txt", gzip.compress(b"X\n") + gzip.compress(b"Y\n") + b"\0" * 512)
    assert documents(list(read_documents(path))) == [Document("X"), Document("Y")]
    stream = io.BytesIO(gzip.compress(b'{"text": "X"}\n'))
    assert documents(list(read_documents(stream))) == [Document("X")]
    assert not stream.closed
    assert detect_format(save(tmp_path, "b.gz", gzip.compress(b'[{"text": "X"}]'))).format == "json"


@pytest.mark.parametrize(
    ("file_format", "content"),
    [("text", LINES), ("json", CONTENT["a.json"].encode()), ("bioc", CONTENT["a.xml"].encode())],
)
@pytest.mark.parametrize("end", [15, -9, -4])
def test_a_truncated_file_is_one_line_before_anything_is_done(
    tmp_path: Path, file_format: Format, content: bytes, end: int
) -> None:
    path = save(tmp_path, "a.gz", gzip.compress(content)[:end])
    with pytest.raises(DocumentError, match=r"a\.gz is a truncated gzip file: copy or download it again"):
        read_documents(path, file_format)


@pytest.mark.parametrize("place", [2, 5000, -6])
def test_a_damaged_file_is_one_line(tmp_path: Path, place: int) -> None:
    data = bytearray(gzip.compress(LINES))
    data[place] ^= 0xFF
    with pytest.raises(DocumentError, match=r"a\.gz is a (damaged|truncated) gzip file") as caught:
        list(read_documents(save(tmp_path, "a.gz", bytes(data)), "text"))
    assert "\n" not in str(caught.value)


def test_a_stream_that_ends_too_early_says_so_where_it_ends() -> None:
    rows = read_documents(io.BytesIO(gzip.compress(LINES)[:-4]), "text")
    assert next(rows).problem is None
    with pytest.raises(DocumentError, match="standard input is a truncated gzip file"):
        list(rows)


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunzip, "ALWAYS_UNPACKED", 1 << 20)
    unpacked = 0
    really_read = gzip.GzipFile.read1

    def count(self: gzip.GzipFile, size: int = -1) -> bytes:
        nonlocal unpacked
        data = really_read(self, size)
        unpacked += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read1", count)
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes([10]) * (1 << 20)) for _ in range(100)), packer.flush()])
    with pytest.raises(DocumentError, match="unpacks to more than 200 times its size"):
        read_documents(save(tmp_path, "a.txt.gz", bomb))
    assert unpacked < 50 << 20


def test_a_short_file_may_repeat_one_line(tmp_path: Path) -> None:
    path = save(tmp_path, "a.txt.gz", gzip.compress(b"X\n" * 500_000))
    assert sum(1 for _ in read_documents(path)) == 500_000
