"""Embeddings: a text's hidden states, pooled to one vector."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.errors import ConfigError

Pooling = Literal["mean", "last"]
"""The ways to make one vector of a text's hidden states: their mean over all tokens, or that of the last token."""

Vector = npt.NDArray[np.float32]


@runtime_checkable
class HiddenStateReader(Protocol):
    """A backend that computes hidden states."""

    def hidden_states(self, ids: Sequence[int], first: int = 0) -> Iterator[npt.NDArray[np.float32]]:
        """Yields the hidden states of a sequence's tokens from number `first` on, [tokens, hidden] each."""
        ...


def check_pooling(pooling: object) -> None:
    """Refuses an unknown pooling.

    Raises:
        ConfigError: there is no such pooling.
    """
    known = get_args(Pooling)
    if not isinstance(pooling, str) or pooling not in known:
        raise ConfigError(f"pooling is {pooling!r}: choose {' or '.join(known)}")


def pooled(reader: HiddenStateReader, ids: Sequence[int], pooling: Pooling, *, normalize: bool) -> Vector:
    """Returns the embedding of a sequence, float32 [hidden].

    Args:
        reader: backend that computes the hidden states.
        ids: token ids, at least one and at most the model's positions; the mean is that of all of them.
        pooling: way to make one vector of them.
        normalize: True to divide the vector by its Euclidean norm.
    """
    first = len(ids) - 1 if pooling == "last" else 0
    states = np.concatenate(list(reader.hidden_states(ids, first)))
    # In double precision, so that the mean of a long text loses nothing; and all at once, so that it does not depend on
    # the chunks in which the text was read.
    total = states.sum(axis=0, dtype=np.float64)
    vector = total / (len(ids) - first)
    if normalize:
        norm = np.linalg.norm(vector)
        vector = vector / norm if norm > 0 else vector
    pooled_states: Vector = vector.astype(np.float32)
    return pooled_states
