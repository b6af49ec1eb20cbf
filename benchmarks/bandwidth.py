"""How fast this machine reads memory: what no decoding step can beat."""

import threading
from collections.abc import Callable
from time import perf_counter

import numpy as np
import numpy.typing as npt

# Far beyond any cache, so that every read comes from memory.
_BYTES_PER_THREAD = 512 * 1024 * 1024

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

    def __init__(self, threads: int) -> None:
        self._blocks = [np.ones(_BYTES_PER_THREAD // 4, dtype=np.float32) for _ in range(threads)]

    def measure(self) -> float:
        """Bytes a second, the best kernel's of one round."""
        return max(self._measure(kernel) for kernel in _KERNELS)

    def _measure(self, kernel: Callable[[Block], object]) -> float:
        threads = [threading.Thread(target=kernel, args=(block,)) for block in self._blocks]
        start = perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(block.nbytes for block in self._blocks) / (perf_counter() - start)
