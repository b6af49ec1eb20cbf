"""How much the model's answers change when a single layer is packed and everything else stays in float32."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.evaluate.divergence import Logits, divergence
from biogpt_onnx.quantize.recipes import Recipe
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession

# A few hundred tokens put the layers in order: all of a token's distribution is compared, not just what came.
_MAX_PASSAGES = 8
_MAX_TOKENS = 33
# What rows are filled up with: any token will do, as nothing before it sees it.
_FILLING = 0


def sensitivities(
    pool: WeightPool,
    passages: Sequence[tuple[int, ...]],
    float32: Recipe,
    recipes: Mapping[str, Recipe],
    done: Callable[[], None],
) -> dict[str, float]:
    """KL(float32 || one layer packed) of the next token's distribution, in nats, the mean over some tokens.

    Weights are left as they lie in the file, so that a session opens at once. A layer in whole rows computes as it
    will, its activations in 8 bits too; one in blocks has its weights unpacked, and activations in float32.

    Args:
        pool: the weights.
        passages: token ids; of eight of them, spread over all, the first 33 are read.
        float32: the recipe that packs nothing.
        recipes: by a layer's name, the recipe that packs this layer alone.
        done: called after each layer.
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


def ordered(found: Mapping[str, float], bytes_saved: Mapping[str, int]) -> list[str]:
    """Layers that become smaller, those first that change the answers least for what they save.

    Args:
        found: see `sensitivities`.
        bytes_saved: by packing a layer.
    """
    smaller = (layer for layer in found if bytes_saved[layer] > 0)
    return sorted(smaller, key=lambda layer: (found[layer] / bytes_saved[layer], layer))


class _Batch:
    """Beginnings of passages as rows of one step; shorter ones are filled up."""

    def __init__(self, passages: Sequence[tuple[int, ...]]) -> None:
        apart = max(1, len(passages) // _MAX_PASSAGES)
        rows = [ids[:_MAX_TOKENS] for ids in passages[::apart][:_MAX_PASSAGES]]
        longest = max(map(len, rows)) - 1
        self._ids = np.full((len(rows), longest), _FILLING, dtype=np.int64)
        for row, ids in enumerate(rows):
            self._ids[row, : len(ids) - 1] = ids[:-1]
        self._predicting = _flat(np.arange(row * longest, row * longest + len(ids) - 1) for row, ids in enumerate(rows))
        self.targets = _flat(np.array(ids[1:], dtype=np.int64) for ids in rows)

    def logits(self, session: DecoderSession) -> Logits:
        """Of every token that predicts one, [tokens, vocab]."""
        cache = session.new_cache(*self._ids.shape)
        return session.forward(self._ids, cache, logits_indices=self._predicting)


def _flat(parts: Iterable[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(list(parts))
