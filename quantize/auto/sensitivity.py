"""Sensitivity of the model's predictions to the packing of a single layer, all others being in float32."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.evaluate.divergence import Logits, divergence
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession

# A few hundred tokens are enough to order the layers, because whole distributions are compared.
_MAX_PASSAGES = 8
_MAX_TOKENS = 33
# Any token can pad the rows, because no token before it attends to it.
_PADDING_ID = 0


def sensitivities(
    pool: WeightPool,
    passages: Sequence[tuple[int, ...]],
    float32: Recipe,
    recipes: Mapping[str, Recipe],
    done: Callable[[], None],
) -> dict[str, float]:
    """Measures each layer's sensitivity: the KL divergence of the next token's distribution, when it alone is packed.

    Weights are not prepacked, so that a session opens at once. A layer that is packed in rows computes as it does in a
    bundle, its activations in 8 bits too; one in blocks has its weights unpacked, and activations in float32.

    Args:
        pool: weights of the model.
        passages: token ids, of which eight sequences, spread over all, are read up to the 33rd token.
        float32: recipe that packs nothing.
        recipes: recipe that packs a layer alone, by the layer's name.
        done: called after each layer.

    Returns:
        KL(float32 || layer packed) in nats, the mean over the tokens, by the layer's name.
    """
    batch = _Batch(passages)
    baseline = batch.logits(pool.open(float32, prepack=False))
    found = {}
    for layer, recipe in recipes.items():
        logits = batch.logits(pool.open(recipe, prepack=False))
        kl = divergence(baseline, logits, batch.targets).kl_divergence
        found[layer] = kl / len(batch.targets) if math.isfinite(kl) else math.inf
        done()
    return found


def least_sensitive_first(found: Mapping[str, float], bytes_saved: Mapping[str, int]) -> list[str]:
    """Orders the layers that packing makes smaller by their sensitivity for each byte saved, the least first.

    Args:
        found: sensitivity by the layer's name; see `sensitivities`.
        bytes_saved: bytes that packing saves, by the layer's name.
    """
    smaller = (layer for layer in found if bytes_saved[layer] > 0)
    return sorted(smaller, key=lambda layer: (found[layer] / bytes_saved[layer], layer))


class _Batch:
    """Beginnings of passages as padded rows of one step."""

    def __init__(self, passages: Sequence[tuple[int, ...]]) -> None:
        apart = max(1, len(passages) // _MAX_PASSAGES)
        rows = [ids[:_MAX_TOKENS] for ids in passages[::apart][:_MAX_PASSAGES]]
        longest = max(map(len, rows)) - 1
        self._ids = np.full((len(rows), longest), _PADDING_ID, dtype=np.int64)
        for row, ids in enumerate(rows):
            self._ids[row, : len(ids) - 1] = ids[:-1]
        self._predicting = _flat(np.arange(row * longest, row * longest + len(ids) - 1) for row, ids in enumerate(rows))
        self.targets = _flat(np.array(ids[1:], dtype=np.int64) for ids in rows)

    def logits(self, session: DecoderSession) -> Logits:
        """Computes the logits after every token but a passage's last, [tokens, vocab]."""
        cache = session.new_cache(*self._ids.shape)
        return session.forward(self._ids, cache, logits_indices=self._predicting)


def _flat(parts: Iterable[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(list(parts))
