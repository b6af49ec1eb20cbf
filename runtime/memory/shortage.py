"""Shortages: computations for which the system has no memory, of which other programs may leave some later."""

from collections.abc import Iterator
from contextlib import contextmanager

from biogpt_onnx.runtime.errors import BioGptError, MemoryLimitError

# Phrases of ONNX Runtime's allocators and of C++.
_PHRASES = ("failed to allocate memory", "bad allocation", "bad_alloc", "out of memory", "not enough memory")


def is_shortage(error: BaseException) -> bool:
    """Returns True for an error that says that there is no memory; ONNX Runtime's have no type of their own."""
    if isinstance(error, MemoryError):
        return True
    return not isinstance(error, BioGptError) and any(phrase in str(error).lower() for phrase in _PHRASES)


def as_limit(error: Exception) -> Exception:
    """Returns a shortage as a `MemoryLimitError` that names the remedy; any other error as it is."""
    if isinstance(error, BioGptError) or not is_shortage(error):
        return error
    limit = MemoryLimitError(
        "the system has no memory for a pass of the model: shorten the prompt, lower max_new_tokens or num_beams, give "
        "fewer prompts at a time, or give more memory"
    )
    limit.__cause__ = error
    return limit


@contextmanager
def shortage_as_limit() -> Iterator[None]:
    """Turns shortages in the block into a `MemoryLimitError`; other errors stay as they are.

    Raises:
        MemoryLimitError: there is no memory.
    """
    try:
        yield
    except Exception as error:
        if as_limit(error) is error:
            raise
        raise as_limit(error) from error
