"""How fast this machine multiplies float32 matrices: what no float32 prefill can beat."""

from functools import partial

import numpy as np

from biogpt_onnx.bench.bandwidth import seconds_of

# A shape of BioGPT's feed-forward layer, as when a prompt of 512 tokens is read.
_ROWS, _INNER, _COLUMNS = 512, 1024, 4096
_REPEATS = 4


class MatmulRate:
    """Multiplies with numpy's BLAS, one product a thread; it must be held to one thread by the environment."""

    def __init__(self, threads: int, repeats: int = _REPEATS) -> None:
        self._repeats = repeats
        self._operands = [
            (np.ones((_ROWS, _INNER), np.float32), np.ones((_INNER, _COLUMNS), np.float32)) for _ in range(threads)
        ]
        self._products = [np.empty((_ROWS, _COLUMNS), np.float32) for _ in range(threads)]

    def measure(self) -> float:
        """Operations a second, a multiplication and its addition counted as two."""
        seconds = seconds_of([partial(self._multiply, thread) for thread in range(len(self._operands))])
        return 2.0 * _ROWS * _INNER * _COLUMNS * self._repeats * len(self._operands) / seconds

    def _multiply(self, thread: int) -> None:
        for _ in range(self._repeats):
            np.matmul(*self._operands[thread], out=self._products[thread])
