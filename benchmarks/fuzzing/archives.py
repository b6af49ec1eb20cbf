"""Good tar archives of each form, small, from which fuzzing makes bad ones."""

import io
import tarfile

_BLOCK_BYTES = 512
_MAGIC = slice(257, 262)
_SUM = slice(148, 156)
_NAME = slice(0, 6)
_TYPE = 156
_SPARSE_PARTS, _SPARSE_SIZE = slice(386, 410), slice(483, 494)

TOKENS = (
    *(b"ustar", b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"00000000005\0", bytes(_BLOCK_BYTES)),
    *(b"12 size=-50\n", b"13 size=1e99\n", b"21 GNU.sparse.map=0,5\n", b"25 GNU.sparse.realsize=9\n", b"99999999999 a"),
    *(b"D", b"K", b"L", b"S", b"g", b"x"),
)


def archives() -> tuple[bytes, ...]:
    """Returns an archive of each format of the library, and one with a sparse member."""
    gnu = _archive(tarfile.GNU_FORMAT, "l" * 120)
    return gnu, _archive(tarfile.PAX_FORMAT, "ü" * 60), _archive(tarfile.USTAR_FORMAT, "a"), _with_sparse_member(gnu)


def with_right_sums(archive: bytes) -> bytes:
    """Returns an archive in which each block that looks like a header has the right sum of its bytes."""
    changed = bytearray(archive)
    for start in range(0, len(changed) - _BLOCK_BYTES + 1, _BLOCK_BYTES):
        block = changed[start : start + _BLOCK_BYTES]
        if block[_MAGIC] == b"ustar":
            block[_SUM] = b" " * 8
            block[_SUM] = b"%06o\0 " % sum(block)
            changed[start : start + _BLOCK_BYTES] = block
    return bytes(changed)


def _archive(form: int, name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for member, content in (("1.txt", b"Lithium."), (f"{name}.txt", b"x" * 600), (".hidden", b"y")):
            header = tarfile.TarInfo(member)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
        written = packed.tell()
    # Without the zeros that fill a record.
    return packed.getvalue()[: written + 2 * _BLOCK_BYTES]


def _with_sparse_member(archive: bytes) -> bytes:
    changed = bytearray(archive)
    # Hidden members are passed over, sparse ones are refused else.
    changed[_NAME] = b".1.txt"
    changed[_TYPE] = tarfile.GNUTYPE_SPARSE[0]
    changed[_SPARSE_PARTS] = b"%011o\0%011o\0" % (0, 8)
    changed[_SPARSE_SIZE] = b"%011o" % 8
    return with_right_sums(bytes(changed))
