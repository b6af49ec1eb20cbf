"""The error for a device whose memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

from biogpt_onnx.runtime.errors import DeviceMemoryError
from biogpt_onnx.runtime.memory.shortage import is_shortage

_OF_CUDA = "cudaerrormemoryallocation"


@contextmanager
def device_memory(purpose: str) -> Iterator[None]:
    """Turns ONNX Runtime's errors about missing memory into one that names its purpose; other errors stay as they are.

    Args:
        purpose: purpose of the memory, as the beginning of a sentence.

    Raises:
        DeviceMemoryError: the memory is full.
    """
    try:
        yield
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        if not (is_shortage(error) or _OF_CUDA in str(error).lower()):
            raise
        raise DeviceMemoryError(
            f"{purpose} does not fit in the device's memory: lower max_new_tokens, give fewer prompts at a time, or "
            "end what else uses the GPU"
        ) from error
