"""The error that has tests skip."""


class UnavailableError(Exception):
    """The emulator or the packages cannot be had here; the message says why."""
