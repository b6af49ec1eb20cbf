"""The entry point: parses arguments, runs a command, and prints an error as one line."""

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from biogpt_onnx._interrupts import INTERRUPTED, heed_interrupts
from biogpt_onnx._version import __version__
from biogpt_onnx.cli.commands import COMMANDS, load_command
from biogpt_onnx.cli.streams import prepare_standard_streams
from biogpt_onnx.cli.termination import Terminated, terminable
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.system.streams import is_closed_by_reader

BAD_INPUT = 2

# A shell reports 128 and the signal's number for a process that a signal ended.
_BY_SIGNAL = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options: argparse.Namespace | None = None
    try:
        heed_interrupts()
        prepare_standard_streams()
        # Interrupted between two lines, argparse fails to restore what it has not saved.
        with terminable():
            options = _parser().parse_args(arguments)
            # Without the file and line that raised the warning, which are of no use to users of a command.
            warnings.showwarning = _show_warning  # type: ignore[assignment] # the rest of its arguments do not matter
            code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated as error:
        return _BY_SIGNAL + error.signal_number
    except (BioGptError, OSError, MemoryError) as error:
        if isinstance(error, OSError) and is_closed_by_reader(error, sys.stdout):
            # Python would report this once more while it shuts down.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if options is not None and options.debug:
            traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Prints the message as one line, like every other error, and exits."""
        self.exit(BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


class _CommandParser(_Parser):
    """The parser of one command, whose module it imports when it parses.

    Options may stand between positional arguments: `generate BUNDLE --json PROMPT`.
    """

    command: str | None = None
    """The command's name; None for a parser of arguments alone."""

    _is_complete = False
    _intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 -- the base class's
        """Parses arguments in any order."""
        if self._intermixed:
            return super().parse_known_args(args, namespace)
        if self.command is not None and not self._is_complete:
            command = load_command(self.command)
            command.add_arguments(self)
            self.set_defaults(run=command.run)
            self._is_complete = True
        if self._subparsers is not None:
            # The base class takes no options between positional arguments where one of these is a command.
            return super().parse_known_args(args, namespace)
        # The base class's way to do this calls back here, and sub-commands do not use it by themselves.
        self._intermixed = True
        try:
            namespace, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixed = False
        if unknown and self.command is not None:
            # The parser above would name its own help, which has none of the command's options.
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="biogpt-onnx", description="BioGPT on ONNX Runtime.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"biogpt-onnx {__version__}")
    shared = _CommandParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for name, summary in COMMANDS.items():
        command_parser = commands.add_parser(
            name, parents=[shared], help=summary, description=summary, allow_abbrev=False
        )
        command_parser.command = name
    return parser


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError) and not isinstance(error, BioGptError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split("\n"))


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
