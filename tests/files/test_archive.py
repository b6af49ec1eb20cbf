"""Archives are read member by member, and what is wrong with one is told instead of being taken for its end."""

import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import DocumentError
from biogpt_onnx.files.opening.archive import is_archive, members_of
from makers.archives import save_tar, tar
from makers.documents import save

BLOCK = 512


def contents(path: Path) -> dict[str, bytes]:
    return {member.name: member.stream.read() for member in members_of(path)}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.TGZ"])
def test_members_are_read_in_order_compressed_or_not(tmp_path: Path, name: str) -> None:
    long = "folder/" + "x" * 150 + ".txt"
    assert is_archive(name)
    found = contents(save_tar(tmp_path / name, {"b.txt": "B" * 2000, long: "A", "empty.txt": ""}))
    assert found == {"b.txt": b"B" * 2000, long: b"A", "empty.txt": b""}
    assert list(found) == ["b.txt", long, "empty.txt"]


def test_members_that_nobody_reads_are_skipped(tmp_path: Path) -> None:
    path = save_tar(tmp_path / "a.tar", {str(number): "x" * 3000 for number in range(5)})
    assert [member.name for member in members_of(path)] == ["0", "1", "2", "3", "4"]


def test_links_devices_folders_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("link.txt", tarfile.SYMTYPE), ("hard.txt", tarfile.LNKTYPE), ("tty.txt", tarfile.CHRTYPE)):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
        folder = tarfile.TarInfo("folder.txt")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name in ("._a.txt", "./.git/a.txt", "./a.txt"):
            header = tarfile.TarInfo(name)
            header.size = 1
            archive.addfile(header, io.BytesIO(b"x"))
    assert contents(path) == {"./a.txt": b"x"}


def test_names_that_are_not_utf_8_are_kept_with_escapes(tmp_path: Path) -> None:
    assert list(contents(save_tar(tmp_path / "a.tar", {os.fsdecode(b"caf\xe9.txt"): "x"}))) == [r"caf\xe9.txt"]


WHOLE = tar({"1.txt": "x" * 1000, "2.txt": "y" * 1000})
# A header and two blocks for each member.
SECOND = 3 * BLOCK


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[: SECOND + 2 * BLOCK], r"2.txt is not whole, as its archive is truncated"),
        (WHOLE[:SECOND], "ends in the middle of an archive"),
        (WHOLE[: SECOND + 100], "damaged tar archive|ends in the middle"),
        (WHOLE[:SECOND] + b"\xff" * BLOCK + WHOLE[SECOND + BLOCK :], "ends in the middle of an archive, or is damaged"),
        (b"no archive" * 100, "is a damaged tar archive"),
        (b"", "is a damaged tar archive"),
        (gzip.compress(WHOLE)[:-9], "truncated gzip file"),
        (gzip.compress(WHOLE)[:-8] + b"\0" * 8, "damaged gzip file"),
    ],
)
def test_damaged_archives_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = save(tmp_path, "a.tar", content)
    with pytest.raises(DocumentError, match=message):
        contents(path)


def test_a_header_that_claims_more_than_there_is_does_not_keep_it_reading(tmp_path: Path) -> None:
    # The library would read ten kilobytes after ten kilobytes of nothing, up to the end of 8 GB.
    header = tarfile.TarInfo(".hidden")
    header.size = 8**11 - 1
    with pytest.raises(DocumentError, match="it ends before a member does"):
        contents(save(tmp_path, "a.tar", header.tobuf(tarfile.USTAR_FORMAT) + bytes(2 * BLOCK)))


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("a.txt")
    header.type = tarfile.GNUTYPE_SPARSE
    content = header.tobuf(tarfile.GNU_FORMAT) + bytes(2 * BLOCK)
    with pytest.raises(DocumentError, match=r"a\.txt is a sparse file"):
        contents(save(tmp_path, "a.tar", content))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 50_000_000
    path = save(tmp_path, "a.tar.gz", gzip.compress(header.tobuf() + b"\0" * header.size))
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match="a header of more than 1,048,576 bytes"):
            contents(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def sparse_header_with_parts_behind_it() -> bytes:
    """Says "more parts follow", as each block of parts does that ends in a one."""
    header = tarfile.TarInfo("x")
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * ord(" "))
    return bytes(block)


def test_a_sparse_member_whose_parts_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    parts = (bytes(504) + b"\1" + bytes(7)) * 100_000
    with pytest.raises(DocumentError, match="a header of more than 1,048,576 bytes"):
        contents(save(tmp_path, "a.tar", sparse_header_with_parts_behind_it() + parts))


def test_a_sparse_member_whose_parts_are_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="a header that cannot be read"):
        contents(save(tmp_path, "a.tar", sparse_header_with_parts_behind_it()))


def test_headers_of_headers_without_end_are_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    with pytest.raises(DocumentError, match="is a damaged tar archive"):
        contents(save(tmp_path, "a.tar", (header.tobuf(tarfile.GNU_FORMAT) + bytes(BLOCK)) * 1000))


def test_names_as_long_as_any_are_read(tmp_path: Path) -> None:
    long = "x" * 4000
    assert contents(save_tar(tmp_path / "a.tar", {long: "A", "b": "B"})) == {long: b"A", "b": b"B"}


def test_versions_of_the_library_that_read_headers_otherwise_do_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with later security updates, such as Debian's 3.11.2, do not call `frombuf`."""
    parse = tarfile.TarInfo.frombuf.__func__  # type: ignore[attr-defined]

    def read_header(cls: type[tarfile.TarInfo], archive: Any) -> tarfile.TarInfo:
        found = parse(cls, archive.fileobj.read(BLOCK), archive.encoding, archive.errors)
        found.offset = archive.fileobj.tell() - BLOCK
        header: tarfile.TarInfo = found._proc_member(archive)
        return header

    monkeypatch.setattr(tarfile.TarInfo, "fromtarfile", classmethod(read_header))
    long = "x" * 150
    path = save_tar(tmp_path / "a.tar", {"a": "A", long: "B"})
    assert contents(path) == {"a": b"A", long: b"B"}
    with pytest.raises(DocumentError, match="ends in the middle of an archive"):
        contents(save(tmp_path, "b.tar", WHOLE[:SECOND]))


def test_memory_does_not_grow_with_the_number_of_members(tmp_path: Path) -> None:
    def peak_of(number: int) -> int:
        path = save_tar(tmp_path / f"{number}.tar", {f"{place}.txt": "x" for place in range(number)})
        tracemalloc.start()
        try:
            assert sum(1 for _ in members_of(path)) == number
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(10)
    assert peak_of(3000) < peak_of(100) + 100_000
