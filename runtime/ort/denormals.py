"""Denormal numbers, which a processor may multiply a hundred times slower than others, taken as zeros in a pass.

ONNX Runtime's attention gives what the causal mask hides a weight of about 4e-39 instead of 0, and multiplies values by
it. Such a number is denormal: below 1.2e-38, where float32 has fewer digits. Intel's processors handle each in
microcode, which takes half of the attention to a prompt. As zeros they cost nothing, and results stay the same to the
last bit, because they vanish beside the weights of what is not hidden.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from biogpt_onnx.runtime.ort.protocols import SessionOptions
from biogpt_onnx.runtime.system import kind

_ENTRY = "session.set_denormal_as_zero"

# The functions write and read the C library's `fenv_t`, whose last word of eight is the register MXCSR on x86-64. Twice
# the room, should another library keep more in it.
_Environment = ctypes.c_uint32 * 16
_CONTROL = 7
_FLUSH_RESULTS, _INPUTS_AS_ZEROS = 0x8000, 0x0040


def _c_library() -> ctypes.PyDLL | None:
    """Returns the C library, if it keeps MXCSR where it is looked for here."""
    if not kind.is_linux() or platform.machine() != "x86_64" or sys.maxsize < 2**32:
        return None
    library = ctypes.PyDLL(None)
    return library if hasattr(library, "fegetenv") and hasattr(library, "fesetenv") else None


_library = _c_library()

CAN_BE_ZEROS = _library is not None
"""True if denormals can be taken as zeros here, for a while: on Linux with an x86-64 processor."""


def take_denormals_as_zeros(options: SessionOptions) -> None:
    """Has a session's own threads take denormals as zeros, if that can be done here.

    The session must be opened and run within `denormals_as_zeros`, because the thread that calls computes, too.
    """
    # Elsewhere, the option would also change the thread that opens the session, for good.
    if CAN_BE_ZEROS:
        options.add_session_config_entry(_ENTRY, "1")


@contextmanager
def denormals_as_zeros() -> Iterator[None]:
    """Takes denormals as zeros in this thread, until the block ends; then they are as before. Takes microseconds."""
    if not CAN_BE_ZEROS or _library is None:
        yield
        return
    before = _Environment()
    _library.fegetenv(before)
    within = _Environment.from_buffer_copy(before)
    within[_CONTROL] |= _FLUSH_RESULTS | _INPUTS_AS_ZEROS
    _library.fesetenv(within)
    try:
        yield
    finally:
        _library.fesetenv(before)
