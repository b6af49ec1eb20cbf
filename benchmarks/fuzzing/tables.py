"""Good Parquet files of several forms, small, from which fuzzing makes bad ones. It needs pyarrow."""

import io

import pyarrow as pa
from pyarrow import parquet

TOKENS = (b"PAR1", b"\xff" * 4 + b"\x0f", b"\x80" * 9 + b"\x01", bytes(8), b"\x15\x00", b"\x19\x1c", b"text", b"id")

_TEXTS = {"id": ["1", "2"], "title": ["Lithium", None], "text": ["Lithium caused tremor.", "None."]}
_NAMES = {"entities": [["Lithium"], []]}
_LISTS = {
    "pmid": [1, 2],
    "abstract": ["Lithium caused tremor."] * 2,
    "entities": [[{"text": "Lithium", "type": "Chemical"}], []],
}


def tables() -> tuple[bytes, ...]:
    """Returns files with and without compression, checksums, dictionaries, lists and the library's own schema."""
    texts, lists = pa.table(_TEXTS | _NAMES), pa.table(_LISTS)
    return (
        _written(texts, compression="none"),
        _written(texts, compression="zstd", write_page_checksum=True),
        _written(texts, compression="snappy", data_page_version="2.0", store_schema=False, use_dictionary=False),
        _written(lists, compression="none", store_schema=False),
        _written(lists, compression="gzip"),
    )


def _written(table: object, **options: object) -> bytes:
    packed = io.BytesIO()
    parquet.write_table(table, packed, **options)
    return packed.getvalue()
