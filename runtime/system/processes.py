"""Other processes: whether they live, and groups of them that are halted and ended together."""

import contextlib
import os
import signal
import subprocess
from typing import Any

from biogpt_onnx.runtime.system import kind


def has_ended(process_id: int) -> bool:
    """Returns True if this machine has no process of a number; False if it has, or the system does not tell.

    On Windows it does not: to ask there would end the process.
    """
    if kind.is_windows():
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def apart_from_terminal() -> dict[str, Any]:
    """Returns the arguments of `Popen` for a process that Ctrl-C on this one's terminal does not reach."""
    if kind.is_windows():
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def own_group() -> dict[str, Any]:
    """Returns the arguments of `Popen` for a process that `halt_group` and the others reach with all that it starts."""
    return {"process_group": 0} if hasattr(os, "killpg") else {}


def halt_group(process_id: int) -> None:
    """Suspends a group of processes; does nothing on Windows."""
    _signal_group(process_id, "SIGSTOP")


def resume_group(process_id: int) -> None:
    """Lets a group of processes run again after `halt_group`."""
    _signal_group(process_id, "SIGCONT")


def kill_group(process_id: int) -> None:
    """Ends a group of processes at once; does nothing on Windows."""
    _signal_group(process_id, "SIGKILL")


def _signal_group(process_id: int, name: str) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process_id, getattr(signal, name))
