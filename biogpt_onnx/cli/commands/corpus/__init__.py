"""The command `corpus`: any number of documents, by any number of processes and machines.

Each of its parts is a command by itself, and a module of this package.
"""

import argparse
from typing import Any, cast

PARTS = {
    "prepare": "Makes a run: reads documents into work units.",
    "work": "Answers the units of a run that have no results; may run any number of times, anywhere.",
    "status": "Says what of a run is done.",
    "estimate": "Says how long a run, or all of PubMed, takes on any number of machines.",
    "merge": "Writes the results of a run into one file.",
}
"""The help of each part of the command, by its name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the parts of the command."""
    parts = parser.add_subparsers(required=True, metavar="PART", parser_class=type(parser))
    for name, summary in PARTS.items():
        part = parts.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        part.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
        # The parser imports the part when it parses.
        cast("Any", part).command = f"corpus.{name}"


def run(options: argparse.Namespace) -> int:
    """Never runs: a part of the command is required, which sets its own function."""
    raise NotImplementedError(options)
