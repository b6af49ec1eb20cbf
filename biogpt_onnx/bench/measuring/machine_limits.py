"""How fast this machine reads memory: what no decoding step can beat."""

import threading
from collections.abc import Callable
from time import perf_counter

import numpy as np
import numpy.typing as npt

# Far beyond any cache, so that every read comes from memory.
_BYTES_PER_THREAD = 512 * 1024 * 1024
_MOST_BYTES = 2 * 1024 * 1024 * 1024

_VECTOR = np.ones(4096, dtype=np.float32)

Block = npt.NDArray[np.float32]
_KERNELS: tuple[Callable[[Block], object], ...] = (
    lambda block: np.dot(block, block),
    lambda block: np.dot(block[: len(block) // 2], block[len(block) // 2 :]),
    lambda block: block.view(np.uint8).max(),
    lambda block: block.reshape(-1, 4096) @ _VECTOR,
)


class ReadBandwidth:
    """Reads large blocks, one a thread, by several kernels, and keeps the best of each round.

    numpy's BLAS must be held to one thread by the environment (OPENBLAS_NUM_THREADS=1).
    """

    def __init__(self, threads: int, bytes_per_thread: int = _BYTES_PER_THREAD) -> None:
        values = min(bytes_per_thread, _MOST_BYTES // threads) // 4 // 4096 * 4096
        self._blocks = [np.ones(values, dtype=np.float32) for _ in range(threads)]

    def measure(self) -> float:
        """Bytes a second, the best kernel's of one round."""
        return max(self._measure(kernel) for kernel in _KERNELS)

    def _measure(self, kernel: Callable[[Block], object]) -> float:
        seconds = seconds_of([lambda block=block: kernel(block) for block in self._blocks])  # type: ignore[misc]
        return sum(block.nbytes for block in self._blocks) / seconds


def seconds_of(tasks: list[Callable[[], object]]) -> float:
    """Runs each task in a thread of its own; seconds from the first one's start to the last one's end."""
    threads = [threading.Thread(target=task) for task in tasks]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - start
