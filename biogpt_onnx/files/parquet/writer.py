"""Writing results as a Parquet file: a row for each document, with a typed column for each value of its result."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from biogpt_onnx.files.parquet.library import import_pyarrow
from biogpt_onnx.files.parquet.schema import mappings_of, schema_of
from biogpt_onnx.files.records import Record
from biogpt_onnx.runtime.result_base import Result

_GROUP_ROWS = 10_000
_BATCH_ROWS = 500


@dataclass(frozen=True)
class ParquetTable:
    """Results as a Parquet table; see `WholeFile`.

    The columns are those of JSON Lines, in the same order: the document's place, the values of its result, which are
    null in a row with an error, and `error`. Equal records give equal bytes with one version of the library pyarrow.

    Attributes:
        result: The class of the results, such as `Relations`.
        places: The types of what stands before the result in each record, by name.
    """

    result: type[Result]
    places: Mapping[str, type]

    needs_documents = False

    def write_all(self, records: Iterable[Record], stream: BinaryIO) -> None:
        """Writes all records; those of a row group are in memory at a time.

        Raises:
            DocumentError: The library pyarrow is not installed.
            OSError: The stream cannot be written.
        """
        pyarrow = import_pyarrow()
        schema = schema_of(pyarrow, self.places, self.result)
        with pyarrow.parquet.ParquetWriter(
            stream, schema, compression="zstd", version="2.6", write_page_checksum=True
        ) as writer:
            for group in self._groups(pyarrow.arrow, schema, iter(records)):
                writer.write_table(group, row_group_size=_GROUP_ROWS)

    def _groups(self, arrow: Any, schema: Any, records: Iterator[Record]) -> Iterator[Any]:  # noqa: ANN401 -- the library has no types
        mappings = mappings_of(self.result)
        while True:
            batches: list[Any] = []
            # Python's own objects take many times the memory of the columns that they become.
            while len(batches) * _BATCH_ROWS < _GROUP_ROWS and (rows := list(islice(records, _BATCH_ROWS))):
                batches.append(arrow.RecordBatch.from_pylist([_with_pairs(row, mappings) for row in rows], schema))
            if not batches:
                return
            yield arrow.Table.from_batches(batches, schema)


def _with_pairs(record: Record, mappings: tuple[str, ...]) -> Record:
    """Returns a record whose mappings are pairs, as the library takes them."""
    return record | {name: list(record[name].items()) for name in mappings if record.get(name) is not None}
