"""What is said where a device's memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

from biogpt_onnx.runtime.errors import DeviceMemoryError

# As ONNX Runtime's allocators and CUDA say it.
_FULL = (
    "out of memory",
    "failed to allocate memory",
    "bad allocation",
    "cudaerrormemoryallocation",
    "not enough memory",
)


@contextmanager
def device_memory(wanted: str) -> Iterator[None]:
    """Turns what ONNX Runtime raises where memory is missing into one error that says for what; nothing else.

    Args:
        wanted: for what, as the beginning of a sentence.

    Raises:
        DeviceMemoryError: the memory is full.
    """
    try:
        yield
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        if not (isinstance(error, MemoryError) or any(words in str(error).lower() for words in _FULL)):
            raise
        raise DeviceMemoryError(
            f"{wanted} does not fit in the device's memory: lower max_new_tokens, give fewer prompts at a time, or end "
            "what else uses the GPU"
        ) from error
