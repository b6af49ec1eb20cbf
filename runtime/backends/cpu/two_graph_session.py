"""A session of a bundle that reads text by one graph and steps by another."""

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession


class TwoGraphSession:
    """A model that reads text by one graph and steps by another, over the same cache; see `TreeDecoder`.

    Which of the two computes a token depends on its part in the answer alone: tokens that are given, as prompts,
    scored text and choices are, are read, and tokens that are generated are stepped, drafts included. So it depends
    neither on the number of tokens of a pass nor on what else is computed, and answers are the same in any batch.

    Attributes:
        steps: session that runs the steps graph. Beams, which are generated as branches of a tree, grow by it.
        is_ragged: True if rows may get different numbers of tokens in one pass.
        vocab_size: number of tokens of the vocabulary, and of entries of a row of logits.
        max_positions: most tokens that a sequence may have.
        device: name of the device, "cpu".

    Args:
        reading: session that runs a graph that reads.
        steps: session that runs the steps graph.
    """

    def __init__(self, reading: DecoderSession, steps: DecoderSession) -> None:
        self._reading, self.steps = reading, steps
        self.is_ragged, self.device = reading.is_ragged, reading.device
        self.vocab_size, self.max_positions = reading.vocab_size, reading.max_positions

    def close(self) -> None:
        """Frees both sessions; see `DecoderSession.close`."""
        self._reading.close()
        self.steps.close()

    def new_cache(self, batch_size: int, capacity: int) -> KeyValueCache:
        """Returns an empty cache; see `KeyValueCache.allocate`."""
        return self._reading.new_cache(batch_size, capacity)

    def forward(  # noqa: PLR0913 -- the inputs of a pass
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        *,
        position_ids: npt.NDArray[np.int64] | None = None,
        attention_bias: npt.NDArray[np.float32] | None = None,
        logits_indices: npt.NDArray[np.int64] | None = None,
        num_tokens: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Reads tokens; arguments and result are those of `DecoderSession.forward`."""
        return self._reading.forward(
            input_ids,
            cache,
            position_ids=position_ids,
            attention_bias=attention_bias,
            logits_indices=logits_indices,
            num_tokens=num_tokens,
        )

    def forward_steps(
        self,
        input_ids: npt.NDArray[np.int64],
        cache: KeyValueCache,
        *,
        logits_indices: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Appends tokens that continue what was read, by the steps graph; see `TreeDecoder`."""
        return self.steps.forward_steps(input_ids, cache, logits_indices=logits_indices)

    def hidden_states(
        self, input_ids: npt.NDArray[np.int64], cache: KeyValueCache, indices: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Reads tokens and computes hidden states; see `TreeDecoder`."""
        return self._reading.hidden_states(input_ids, cache, indices)
