"""The command `corpus prepare`: documents of many files become the work units of a run."""

import argparse
import sys

from biogpt_onnx.cli.arguments.entities import add_entity_types, entity_types_of
from biogpt_onnx.cli.arguments.inputs import add_field_arguments, columns_of
from biogpt_onnx.cli.arguments.labels import read_labels
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.arguments.tasks import (
    add_description_arguments,
    add_given_entities,
    add_min_score,
    add_reading_arguments,
    add_self_relations,
    description_settings,
    reading_settings,
)
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.corpus import CorpusSettings, Preparation, prepare
from biogpt_onnx.corpus.prepare import UNIT_DOCUMENTS
from biogpt_onnx.tasks import TASK_SPECS

_MOST_NAMES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a file, a tar archive of files, a folder with all that is below it, or a pattern such as '*.xml.gz'; all "
        "of one format",
    )
    parser.add_argument("-o", "--output", type=non_empty_path, required=True, metavar="RUN", help="the folder to make")
    parser.add_argument(
        "--task",
        type=non_empty,
        required=True,
        metavar="TASK",
        help=f"{', '.join(TASK_SPECS)}, or a TOML file that defines a task",
    )
    add_field_arguments(parser)
    add_reading_arguments(parser)
    add_given_entities(parser, "the input")
    add_entity_types(parser)
    add_min_score(parser, "results")
    add_self_relations(parser)
    parser.add_argument(
        "--labels",
        type=non_empty_path,
        metavar="FILE",
        help="the labels that there are, one a line, instead of the task's own",
    )
    add_description_arguments(parser)
    parser.add_argument("--free", action="store_true", help="let the model write what it likes")
    parser.add_argument(
        "--question", default="", metavar="TEXT", help="what is asked about documents without a question"
    )
    parser.add_argument(
        "--with-conclusion", action="store_true", help="show the model each abstract's conclusion too, as `ask` does"
    )
    parser.add_argument(
        "--unit-documents",
        type=int,
        default=UNIT_DOCUMENTS,
        metavar="N",
        help=f"documents of a work unit, on average (default {UNIT_DOCUMENTS:,})",
    )
    parser.add_argument(
        "--keep-duplicates",
        action="store_true",
        help="keep all documents with one id, of which only the newest counts otherwise",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    settings = CorpusSettings(
        reading_settings(options, "error"),
        free=options.free,
        given_entities=options.given_entities,
        question=options.question,
        min_score=options.min_score,
        allow_self_relations=options.allow_self_relations,
        labels=() if options.labels is None else read_labels(options.labels),
        entity_types=entity_types_of(options),
        **description_settings(options),
    )
    with Progress("prepare", estimate=True) as progress:
        made = prepare(
            options.inputs,
            options.output,
            options.task,
            settings=settings,
            unit_documents=options.unit_documents,
            file_format=options.format,
            columns=columns_of(options),
            keep_duplicates=options.keep_duplicates,
            progress=progress,
        )
    _report(made)
    return 0


def _report(made: Preparation) -> None:
    print(f"{made.run}: {made.documents:,} documents of {made.inputs:,} files in {made.units:,} units")
    if made.superseded:
        print(f"dropped: {made.superseded:,} old versions of documents whose id comes again")
    if made.deleted:
        print(f"dropped: {made.deleted:,} documents that a later file deletes")
    if made.warning is not None:
        print(f"warning: the input {made.warning}", file=sys.stderr)
    if made.problems:
        print(f"bad rows: {made.problems:,}, whose records will be errors")
    if made.compared:
        print(f"checksums: {made.compared:,} files match")
    if made.skipped_members:
        print(
            f"note: {made.skipped_members:,} files in archives were not read, as their names stand for no format",
            file=sys.stderr,
        )
    if made.skipped:
        named = ", ".join(map(str, made.skipped[:_MOST_NAMES]))
        more = ", ..." if len(made.skipped) > _MOST_NAMES else ""
        print(
            f"note: {len(made.skipped):,} files of folders were not read, as their names stand for no format: "
            f"{named}{more}",
            file=sys.stderr,
        )
