"""Continuation scoring: the probabilities of several given texts after a prompt."""

from collections.abc import Sequence
from math import fsum

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.results import Choices


def choices_after_each(
    backend: Backend[CacheT],
    prompts: Sequence[tuple[Sequence[int], Prefix[CacheT] | None]],
    texts: Sequence[str],
    token_ids: Sequence[tuple[int, ...]],
) -> list[Choices]:
    """Scores continuations of each of several prompts.

    Args:
        backend: the backend that runs the model.
        prompts: token ids of each prompt, and the prefix that they may begin with.
        texts: texts of the continuations.
        token_ids: token ids of each continuation.

    Raises:
        PromptError: a prompt leaves the model no positions for the longest continuation.
    """
    longest = max(map(len, token_ids))
    for prompt_ids, _ in prompts:
        # The last token is never read, so it needs no position.
        if len(prompt_ids) + longest - 1 > backend.max_positions:
            raise PromptError(
                f"a prompt has {len(prompt_ids):,} tokens and a choice {longest:,}, the model "
                f"{backend.max_positions:,} positions: shorten the prompt"
            )
    scores = backend.score_continuations(prompts, token_ids)
    return [Choices.of(texts, token_ids, [fsum(row) for row in rows]) for rows in scores]
