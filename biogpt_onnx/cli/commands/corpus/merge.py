"""The command `corpus merge`: the results of a run in one file."""

import argparse
import sys
from typing import cast

from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.arguments.outputs import output_format
from biogpt_onnx.corpus import merge
from biogpt_onnx.corpus.merge import MERGE_FORMATS, MergeFormat
from biogpt_onnx.files.lexicon import Lexicon, read_lexicon
from biogpt_onnx.runtime.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("run_folder", type=non_empty_path, metavar="RUN", help="a folder that `corpus prepare` made")
    parser.add_argument(
        "-o",
        "--output",
        type=non_empty_path,
        required=True,
        metavar="FILE",
        help="the file; a name in .gz is compressed",
    )
    parser.add_argument(
        "--output-format", choices=MERGE_FORMATS, help="of the file (by default what its name says, else JSON lines)"
    )
    parser.add_argument(
        "--lexicon",
        type=non_empty_path,
        metavar="FILE",
        help="a JSON object of names and their ids, for PubTator and BioC",
    )
    parser.add_argument("--partial", action="store_true", help="write what is there, and return 1 if units are missing")
    parser.add_argument("--overwrite", action="store_true", help="replace the file that is there")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if units are missing."""
    form = output_format(options, MERGE_FORMATS)
    if options.lexicon is not None and form not in {"pubtator", "bioc"}:
        raise ConfigError(f"--lexicon gives ids to PubTator and BioC, {form} has none: leave it out")
    report = merge(
        options.run_folder,
        options.output,
        output_format=cast("MergeFormat", form),
        lexicon=Lexicon() if options.lexicon is None else read_lexicon(options.lexicon),
        partial=options.partial,
        overwrite=options.overwrite,
    )
    print(f"{options.output}: {report.documents:,} documents, of which {report.errors:,} are errors")
    if report.missing_units:
        print(
            f"warning: {report.missing_units:,} units of {report.missing_documents:,} documents have no results and "
            "are left out",
            file=sys.stderr,
        )
    return 1 if report.missing_units else 0
