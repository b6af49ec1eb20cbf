"""Ctrl-C while the command line is being imported: the process ends quietly, as it does once the command runs.

The package imports this module before all others, because an interrupt can come at any time.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a process that Ctrl-C ended, as a shell reports it."""

_COMMAND = "biogpt-onnx"


def heed_interrupts() -> None:
    """Has Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Returns True if this process is the command, and no other program that imports the package."""
    # Python sets it to "-m" while it looks for the module that it is to run.
    program = sys.argv[0] if sys.argv else ""
    return program == "-m" or Path(program).stem == _COMMAND


def _end(_signal_number: int, _frame: object) -> NoReturn:
    os._exit(INTERRUPTED)


if (
    _is_command()
    and threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _end)
