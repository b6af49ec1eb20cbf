"""Finds the relations of the documents of a table, and writes them to a Parquet file.

    python examples/data_frame_to_parquet.py bundles/bc5cdr abstracts.csv relations.parquet

Needs pandas and pyarrow. The table has the columns `pmid`, `title` and `abstract`, any of which may be empty in some
rows. Each relation becomes a row: the document's id, head and tail with their characters, and the score. A document
without a result is named, and the others go on. Neither the documents' results nor the relations are held in memory:
the table is read in parts, and the file is written in parts of a thousand rows.

The bundle should be of a checkpoint that was fine-tuned on BC5CDR.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import biogpt_onnx
from biogpt_onnx import tasks

ROWS = 1000
SCHEMA = pa.schema(
    [
        ("pmid", pa.string()),
        ("head", pa.string()),
        ("head_start", pa.int64()),
        ("head_end", pa.int64()),
        ("tail", pa.string()),
        ("tail_start", pa.int64()),
        ("tail_end", pa.int64()),
        ("score", pa.float64()),
    ]
)


def main() -> None:
    """Reads the command line, and writes the relations of each document."""
    parser = argparse.ArgumentParser(description="Writes the relations of a table's documents to a Parquet file.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("table", type=Path, help="a CSV file with the columns pmid, title and abstract")
    parser.add_argument("output", type=Path, help="the Parquet file")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    rows = relations(model, documents(options.table))
    with pq.ParquetWriter(options.output, SCHEMA) as writer:
        while part := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=SCHEMA))


def documents(path: Path) -> Iterator[tasks.Document]:
    """Yields a document for each row; what is missing in a row is NaN, which a document takes for not given."""
    for part in pd.read_csv(path, chunksize=ROWS, dtype={"pmid": "string"}):
        for row in part.itertuples(index=False):
            yield tasks.Document(row.abstract, id=row.pmid, title=row.title)


def relations(model: biogpt_onnx.BioGPT, given: Iterable[tasks.Document]) -> Iterator[dict[str, Any]]:
    """Yields a row for each relation, and names the documents that have no result."""
    for item in tasks.stream(tasks.BC5CDR, model, given, too_long="cut", on_error="return", progress=True):
        if item.result is None:
            name = item.index if item.document is None else item.document.id
            print(f"{name}: {item.error}")
            continue
        for relation in item.result.relations:
            head, tail = relation.head_span or (None, None), relation.tail_span or (None, None)
            yield {
                "pmid": None if item.document is None else item.document.id,
                "head": relation.head,
                "head_start": head[0],
                "head_end": head[1],
                "tail": relation.tail,
                "tail_start": tail[0],
                "tail_end": tail[1],
                "score": relation.score,
            }


if __name__ == "__main__":
    main()
