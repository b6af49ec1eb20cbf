"""Signals, of which each system has some."""

import signal

_ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def ending_signals(*, hang_up: bool = True) -> tuple[int, ...]:
    """Returns the numbers of the signals that ask a process to end.

    They are Ctrl-C, the request to end, the hang-up of the terminal, which Windows does not have, and Windows'
    Ctrl-Break, which nothing else has.

    Args:
        hang_up: False to leave the hang-up out, which has servers read their settings again.
    """
    names = [name for name in _ENDING if hang_up or name != "SIGHUP"]
    return tuple(int(getattr(signal, name)) for name in names if hasattr(signal, name))


def reload_signal() -> int | None:
    """Returns the number of the signal that has a server read its settings again; None on Windows."""
    return int(signal.SIGHUP) if hasattr(signal, "SIGHUP") else None
