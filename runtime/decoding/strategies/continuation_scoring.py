"""Continuation scoring: the probabilities of several given texts after a prompt."""

from collections.abc import Sequence
from math import exp, fsum, log

from biogpt_onnx.runtime.backends.protocol import Backend, CacheT
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.results import Choices


def choices_after_each(
    backend: Backend[CacheT],
    prompts: Sequence[tuple[Sequence[int], Prefix[CacheT] | None]],
    texts: Sequence[str],
    token_ids: Sequence[tuple[int, ...]],
    end_tokens: Sequence[int] = (),
) -> list[Choices]:
    """Scores continuations of each of several prompts.

    Args:
        backend: the backend that runs the model.
        prompts: token ids of each prompt, and the prefix that they may begin with.
        texts: texts of the continuations.
        token_ids: token ids of each continuation.
        end_tokens: tokens of which one must follow a continuation; with none, anything may.

    Raises:
        PromptError: a prompt leaves the model no positions for the longest continuation.
    """
    endings: list[tuple[int, ...]] = [(token,) for token in end_tokens] or [()]
    scored = [(*ids, *ending) for ids in token_ids for ending in endings]
    longest = max(map(len, scored))
    for prompt_ids, _ in prompts:
        # The last token is never read, so it needs no position.
        if len(prompt_ids) + longest - 1 > backend.max_positions:
            raise PromptError(
                f"a prompt has {len(prompt_ids):,} tokens and a choice {longest:,}, the model "
                f"{backend.max_positions:,} positions: shorten the prompt"
            )
    each = len(endings)
    first = scored[::each]
    return [
        Choices.of(texts, first, [_total(rows[start : start + each]) for start in range(0, len(rows), each)])
        for rows in backend.score_continuations(prompts, scored)
    ]


def _total(rows: Sequence[Sequence[float]]) -> float:
    """Returns the log-probability of one of several continuations, of which each row has the tokens', in nats."""
    totals = [fsum(row) for row in rows]
    largest = max(totals)
    return totals[0] if len(totals) == 1 else largest + log(fsum(exp(total - largest) for total in totals))
