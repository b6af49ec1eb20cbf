"""Arguments to a command, and what goes wrong to one line."""

import argparse
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from biogpt_onnx._version import __version__
from biogpt_onnx.cli import (
    ask,
    bench,
    classify,
    describe,
    evaluate,
    evaluate_task,
    export,
    generate,
    info,
    quantize,
    relations,
    verify,
)
from biogpt_onnx.cli.termination import Terminated, terminable
from biogpt_onnx.runtime.errors import BioGptError

BAD_INPUT = 2

_COMMANDS = (
    *(export, verify, quantize, evaluate, bench, generate),
    *(relations, ask, classify, describe, evaluate_task, info),
)
# What a shell reports of a process that a signal ended.
_BY_SIGNAL = 128
_INTERRUPTED = _BY_SIGNAL + signal.SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    # Not the file and line that raised it, which are of no use to whoever runs a command.
    warnings.showwarning = _show_warning  # type: ignore[assignment] # the rest of its arguments do not matter
    try:
        with terminable():
            code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Terminated as error:
        return _BY_SIGNAL + error.signal_number
    except (BioGptError, OSError, MemoryError) as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, like every other error."""
        self.exit(BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")


class _CommandParser(_Parser):
    """Takes options between positional arguments too: `generate BUNDLE --json PROMPT`."""

    _intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 -- the base class's
        """What the base class does, with arguments in any order."""
        if self._intermixed:
            return super().parse_known_args(args, namespace)
        # The library's way to do this calls back here, and sub-commands do not use it by themselves.
        self._intermixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixed = False


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="biogpt-onnx", description="BioGPT on ONNX Runtime.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"biogpt-onnx {__version__}")
    shared = _CommandParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for command in _COMMANDS:
        summary = (command.__doc__ or "").partition("\n")[0]
        command_parser = commands.add_parser(
            command.NAME, parents=[shared], help=summary, description=summary, allow_abbrev=False
        )
        command.add_arguments(command_parser)
        command_parser.set_defaults(run=command.run)
    return parser


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split("\n"))


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
