"""A session of a bundle whose steps have a cache in 8 bits."""

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cpu.quantized_cache import QuantizedCache, Scales
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import BundleError


class QuantizedCacheSession:
    """A model that reads text over a float32 cache and steps over one in 8 bits; see `TreeDecoder`.

    Branches of a tree, which are beams or scored continuations, are text that is read: they share one row, so that they
    gain nothing from fewer bits. It is a `MixedDecoder`, too.

    Attributes:
        is_ragged: False, because each row is read by itself.
        vocab_size: number of tokens of the vocabulary, and of entries of a row of logits.
        max_positions: most tokens that a sequence may have.
        device: name of the device, "cpu".

    Args:
        session: session that runs the bundle's mixed graph.
        scales: what each channel's codes are multiplied by.
    """

    is_ragged = False

    def __init__(self, session: DecoderSession, scales: Scales) -> None:
        self._session, self._scales = session, scales
        self.vocab_size, self.max_positions, self.device = session.vocab_size, session.max_positions, session.device

    def close(self) -> None:
        """Frees the session; see `DecoderSession.close`."""
        self._session.close()

    def new_cache(self, batch_size: int, capacity: int) -> QuantizedCache:
        """Returns an empty cache; memory is taken only as tokens are written to it."""
        codes = self._session.new_step_cache(batch_size, capacity)
        return QuantizedCache.empty(codes, self._scales, partial(self._session.new_cache, 1, capacity))

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: QuantizedCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Reads tokens into the only row; arguments and result are those of `DecoderSession.forward`.

        Raises:
            ValueError: the cache has several rows, the row has been stepped, or rows are padded.
        """
        return self._session.forward(
            input_ids,
            cache.to_read(),
            position_ids=position_ids,
            attention_bias=attention_bias,
            logits_indices=logits_indices,
            num_tokens=num_tokens,
        )

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: QuantizedCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens that continue what was read, over the cache in 8 bits; see `TreeDecoder`."""
        return self._session.forward_steps(input_ids, cache.to_step(), logits_indices=logits_indices)

    def read_and_step(
        self,
        piece_ids: npt.NDArray[np.int64],
        cache: QuantizedCache,
        step_ids: npt.NDArray[np.int64],
        step_cache: QuantizedCache,
        *,
        is_last: bool,
    ) -> npt.NDArray[np.float32]:
        """Appends a piece of a prompt to one cache and a token to each row of another; see `MixedDecoder`."""
        return self._session.read_and_step(piece_ids, cache.to_read(), step_ids, step_cache.to_step(), is_last=is_last)

    def hidden_states(
        self, input_ids: npt.NDArray[np.int64], cache: QuantizedCache, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Reads tokens and computes hidden states; see `TreeDecoder`."""
        return self._session.hidden_states(input_ids, cache.to_read(), indices)


def read_cache_scales(folder: Path, architecture: Architecture) -> Scales:
    """Reads the scales of a bundle's cache in 8 bits.

    Raises:
        BundleError: the file is missing, or does not hold as many positive numbers as the architecture needs.
    """
    path = folder / bundle.CACHE_SCALES_FILE
    shape = (architecture.num_layers, 2, architecture.num_heads, 1, architecture.head_size)
    count = int(np.prod(shape))
    try:
        # One more than there should be, so that no more memory is taken than a sound file needs.
        scales = np.fromfile(path, dtype="<f4", count=count + 1).astype(np.float32, copy=False)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}): copy or quantize the bundle again") from error
    if len(scales) != count or not (np.isfinite(scales) & (scales >= np.finfo(np.float32).tiny)).all():
        raise BundleError(f"{path} does not hold {count:,} scales: copy or quantize the bundle again")
    return scales.reshape(shape)
