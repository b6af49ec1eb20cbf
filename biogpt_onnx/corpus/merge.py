"""Merging the results of a corpus run into one file, in the order of the input."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO, get_args

from biogpt_onnx.corpus.results import PLACE, read_records, read_result
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.units import read_unit
from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.bioc.xml_writer import BioC
from biogpt_onnx.files.formats import COMPRESSED
from biogpt_onnx.files.lexicon import Lexicon
from biogpt_onnx.files.parquet.library import import_pyarrow
from biogpt_onnx.files.parquet.writer import ParquetTable
from biogpt_onnx.files.pubtator.writer import PubTator
from biogpt_onnx.files.records import OutputFormat, Record, WholeFile, document_data
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.files.whole_file import check_output, write_whole_file
from biogpt_onnx.runtime.errors import ConfigError, DocumentError
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.spec import result_of

MergeFormat = Literal["jsonl", "parquet", "pubtator", "bioc"]
"""The formats of a merged file; the last two are for relations."""

MERGE_FORMATS: tuple[MergeFormat, ...] = get_args(MergeFormat)

_NO_LEXICON = Lexicon()


@dataclass(frozen=True)
class MergeReport:
    """What `merge` wrote.

    Attributes:
        documents: Number of documents whose results were there.
        errors: Number of these whose results are errors.
        missing_units: Number of units without results.
        missing_documents: Number of their documents.
    """

    documents: int
    errors: int
    missing_units: int
    missing_documents: int


def merge(  # noqa: PLR0913 -- what, where to, as what, and how
    run: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    output_format: MergeFormat = "jsonl",
    lexicon: Lexicon = _NO_LEXICON,
    partial: bool = False,
    overwrite: bool = False,
) -> MergeReport:
    """Writes the results of a run into one file, in the order of the input; it appears complete or not at all.

    The file is the same to the last byte whoever answered the units, and however often. JSON Lines has a record for
    each document: its number in the run, its file and its line there, its id, and the result or an error. Parquet has
    a row for each, with a typed column for each of these. PubTator and BioC leave errors out.

    Args:
        run: The folder of the run.
        output: The file; compressed if its name ends with `.gz`, which Parquet does by itself.
        output_format: The format of the file.
        lexicon: The concepts of entities, for PubTator and BioC.
        partial: True to leave out the documents of units without results; else there may be none.
        overwrite: True to replace a file that exists.

    Returns:
        What was written.

    Raises:
        ConfigError: The format has no place for the task's results.
        DocumentError: The run is incomplete, a unit or its results are not as they were written, or the file exists or
            cannot be written.
    """
    opened, output = Run.open(run), Path(output)
    form = _form(opened, output_format, lexicon)
    if isinstance(form, WholeFile) and output.name.lower().endswith(COMPRESSED):
        raise ConfigError(f"{output} would be compressed twice, as {output_format} is by itself: name it without .gz")
    if output.resolve().is_relative_to(opened.folder.resolve()):
        raise DocumentError(f"{output} would lie in the run: name another file")
    check_output(output, overwrite=overwrite)
    missing = [unit for unit in opened.units if read_result(opened, unit) is None]
    if missing and not partial:
        raise DocumentError(
            f"{opened.folder} is not complete: {len(missing):,} of {len(opened.units):,} units have no results, as "
            f"`biogpt-onnx corpus status {opened.folder}` shows: answer them by `biogpt-onnx corpus work`, or say "
            "--partial"
        )
    merging = _Merging(opened, form)
    write_whole_file(output.resolve(), merging.write, "see to it and merge again, the run is as it was")
    return replace(merging.report, missing_documents=sum(unit.documents for unit in missing))


class _Merging:
    def __init__(self, run: Run, form: OutputFormat | WholeFile) -> None:
        self._run, self._form = run, form
        self.report = MergeReport(0, 0, 0, 0)

    def write(self, stream: TextIO) -> None:
        if isinstance(self._form, WholeFile):
            self._form.write_all((json.loads(line) for _, lines in self._units() for line in lines), stream.buffer)
            return
        stream.write(self._form.header())
        for unit, lines in self._units():
            if self._form.needs_documents:
                stream.writelines(map(self._form.format_record, self._with_documents(unit, lines)))
            else:
                stream.writelines(lines)
        stream.write(self._form.footer())

    def _units(self) -> Iterator[tuple[Unit, Iterator[str]]]:
        """Yields the units that have results, with the lines of their records, and counts them."""
        for unit in self._run.units:
            result = read_result(self._run, unit)
            now = self.report
            if result is None:
                self.report = replace(now, missing_units=now.missing_units + 1)
                continue
            self.report = replace(now, documents=now.documents + unit.documents, errors=now.errors + result.num_errors)
            yield unit, read_records(self._run, unit, result)

    def _with_documents(self, unit: Unit, lines: Iterator[str]) -> Iterator[Record]:
        """Yields records that hold their documents; those without an id are called by their numbers in the run."""
        for found, line in zip(read_unit(self._run, unit), lines, strict=True):
            record = json.loads(line)
            record["line"] = record["number"]
            if found.row.document is not None:
                record["document"] = document_data(found.row)
            yield record


def _form(run: Run, name: str, lexicon: Lexicon) -> OutputFormat | WholeFile:
    if name not in MERGE_FORMATS:
        raise ConfigError(f"output_format is {name!r}: give one of {', '.join(MERGE_FORMATS)}")
    has_concepts = name in {"pubtator", "bioc"}
    if lexicon.concepts and not has_concepts:
        raise ConfigError(f"a lexicon gives ids to PubTator and BioC, {name} has none: leave it out")
    if name == "jsonl":
        return JsonLines()
    task = run.task()
    if name == "parquet":
        import_pyarrow()
        return ParquetTable(result_of(task), PLACE)
    if not isinstance(task, RelationTask):
        raise ConfigError(f"{name} is for relations, and {task.name} has none: write JSON Lines or Parquet")
    schema = RelationSchema(task.relation, task.head_type, task.tail_type, task.type_names)
    return PubTator(schema, lexicon) if name == "pubtator" else BioC(schema, lexicon)
