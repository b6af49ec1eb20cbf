"""Machine limits of the roofline model: `python -m biogpt_onnx.bench.measuring.machine_limits --threads N`.

As a program it answers any line of input by a JSON object: {"bandwidth": bytes a second, "matmul": operations a
second}. numpy's BLAS must be held to one thread by the environment (OPENBLAS_NUM_THREADS=1).
"""

import argparse
import json
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt

# Far beyond any cache, so that every read comes from memory.
_BYTES_PER_THREAD = 512 * 1024 * 1024
_MOST_BYTES = 2 * 1024 * 1024 * 1024
# Less when run beside contenders, whose models need memory too.
_PROBE_BYTES_PER_THREAD = 256 * 1024 * 1024

# The shape of the first product of BioGPT's feed-forward layer for a prompt of 512 tokens.
_ROWS, _INNER, _COLUMNS = 512, 1024, 4096
_REPEATS = 4

_VECTOR = np.ones(4096, dtype=np.float32)

Block = npt.NDArray[np.float32]
_KERNELS: tuple[Callable[[Block], object], ...] = (
    lambda block: np.dot(block, block),
    lambda block: np.dot(block[: len(block) // 2], block[len(block) // 2 :]),
    lambda block: block.view(np.uint8).max(),
    lambda block: block.reshape(-1, 4096) @ _VECTOR,
)


class ReadBandwidth:
    """Measures memory read bandwidth, the limit of a decoding step: reads large blocks, one a thread.

    Args:
        threads: number of threads.
        bytes_per_thread: size of each block; less where all blocks would exceed 2 GiB.
    """

    def __init__(self, threads: int, bytes_per_thread: int = _BYTES_PER_THREAD) -> None:
        values = min(bytes_per_thread, _MOST_BYTES // threads) // 4 // 4096 * 4096
        self._blocks = [np.ones(values, dtype=np.float32) for _ in range(threads)]

    def measure(self) -> float:
        """Returns the bytes a second of the fastest of several read kernels, each run once."""
        return max(self._measure(kernel) for kernel in _KERNELS)

    def _measure(self, kernel: Callable[[Block], object]) -> float:
        seconds = _parallel_seconds([partial(kernel, block) for block in self._blocks])
        return sum(block.nbytes for block in self._blocks) / seconds


class MatmulRate:
    """Measures the rate of float32 matrix products, the limit of a float32 prefill: one product a thread.

    Args:
        threads: number of threads.
        repeats: products of each thread in one measurement.
    """

    def __init__(self, threads: int, repeats: int = _REPEATS) -> None:
        self._repeats = repeats
        self._operands = [
            (np.ones((_ROWS, _INNER), np.float32), np.ones((_INNER, _COLUMNS), np.float32)) for _ in range(threads)
        ]
        self._products = [np.empty((_ROWS, _COLUMNS), np.float32) for _ in range(threads)]

    def measure(self) -> float:
        """Returns operations a second; a multiplication and its addition count as two."""
        seconds = _parallel_seconds([partial(self._multiply, thread) for thread in range(len(self._operands))])
        return 2.0 * _ROWS * _INNER * _COLUMNS * self._repeats * len(self._operands) / seconds

    def _multiply(self, thread: int) -> None:
        for _ in range(self._repeats):
            np.matmul(*self._operands[thread], out=self._products[thread])


def _parallel_seconds(tasks: list[Callable[[], object]]) -> float:
    """Runs each task in a thread of its own; returns the seconds from the first one's start to the last one's end."""
    threads = [threading.Thread(target=task) for task in tasks]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - start


def main() -> None:
    """Measures both limits for each line of input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--bytes-per-thread", type=int, default=_PROBE_BYTES_PER_THREAD)
    options = parser.parse_args()
    bandwidth, matmul = ReadBandwidth(options.threads, options.bytes_per_thread), MatmulRate(options.threads)
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        # A warm-up: threads start, and memory is touched for the first time.
        matmul.measure()
        found = {"bandwidth": bandwidth.measure(), "matmul": matmul.measure()}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
