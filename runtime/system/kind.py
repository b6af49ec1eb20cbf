"""The kind of operating system and of processor that this process runs on."""

import platform
import sys

LINUX, MACOS, WINDOWS = "Linux", "macOS", "Windows"

NAME = {"linux": LINUX, "darwin": MACOS, "win32": WINDOWS}.get(sys.platform, sys.platform)
"""Name of the system: one of the above, or Python's own name of another one."""


def is_linux() -> bool:
    """Returns True on Linux."""
    return NAME == LINUX


def is_macos() -> bool:
    """Returns True on macOS."""
    return NAME == MACOS


def is_windows() -> bool:
    """Returns True on Windows."""
    return NAME == WINDOWS


def is_arm64() -> bool:
    """Returns True on a 64-bit Arm processor, whatever the system calls it."""
    return platform.machine().lower() in {"aarch64", "arm64"}
