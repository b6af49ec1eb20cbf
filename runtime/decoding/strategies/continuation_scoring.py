"""The log-probabilities of given texts: one behind a prompt, or several to choose from."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import fsum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.cpu.continuations import (
    continuation_log_probabilities,
    prompt_and_continuation_log_probabilities,
)
from biogpt_onnx.runtime.backends.cuda.continuations import continuation_log_probabilities_in_rows
from biogpt_onnx.runtime.backends.protocol import Cache, DecoderModel, DeviceModel, SearchModel, TreeModel
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefill import CHUNK_TOKENS, logits_by_chunk
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.reading import one_prompt_read
from biogpt_onnx.runtime.decoding.selection.sampler import log_probabilities
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.results import Choices

CacheT = TypeVar("CacheT", bound=Cache)


def token_log_probabilities(
    model: DecoderModel[CacheT], prompt_ids: Sequence[int], prefix: Prefix[CacheT] | None, token_ids: Sequence[int]
) -> list[float]:
    """The log-probability of each token behind a prompt and the tokens before it, in nats."""
    if isinstance(model, DeviceModel):
        return _looked_up(model, prompt_ids, token_ids)
    scores: list[float] = []
    for logits in _logits_before_each(model, prompt_ids, prefix, token_ids):
        following = token_ids[len(scores) : len(scores) + len(logits)]
        scores += log_probabilities(logits, np.array(following, dtype=np.int64)).tolist()
    return scores


def _logits_before_each(
    model: DecoderModel[CacheT], prompt_ids: Sequence[int], prefix: Prefix[CacheT] | None, token_ids: Sequence[int]
) -> Iterator[npt.NDArray[np.float32]]:
    # The last token is never read.
    ids = (*prompt_ids, *token_ids[:-1])
    if prefix is None:
        yield from logits_by_chunk(model, ids, model.new_cache(1, len(ids)), first=len(prompt_ids) - 1)
        return
    with one_prompt_read(model, prompt_ids, prefix, len(token_ids), Limits()) as (cache, logits):
        yield from chain([logits], logits_by_chunk(model, ids, cache))


def _looked_up(model: DeviceModel[CacheT], prompt_ids: Sequence[int], token_ids: Sequence[int]) -> list[float]:
    """The same on a device, from where only they are brought."""
    ids = (*prompt_ids, *token_ids[:-1])
    before_first = len(prompt_ids) - 1
    cache = model.new_cache(1, len(ids))
    scores: list[float] = []
    # In pieces, because a token's logits take far more memory than its keys and values.
    for start in range(0, len(ids), CHUNK_TOKENS):
        piece = ids[start : start + CHUNK_TOKENS]
        following = model.forward_chain(piece, cache)
        places = np.arange(max(start, before_first), start + len(piece))
        if len(places):
            tokens = np.array(token_ids, dtype=np.int64)[places - before_first]
            scores += following.log_probabilities(places - start, tokens).tolist()
    return scores


def check_choices(name: str, texts: object, encode: Callable[[str], Sequence[int]]) -> list[tuple[int, ...]]:
    """The token ids of each text.

    Args:
        name: what the texts are called in an error.
        texts: what the caller gave.
        encode: gives a text's ids.

    Raises:
        ConfigError: there are none, one is empty or not a string, or two have the same ids.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence) or not texts:
        raise ConfigError(f"{name} is {texts!r}: give a list of at least one text")
    first_with: dict[tuple[int, ...], str] = {}
    for text in texts:
        if not isinstance(text, str):
            raise ConfigError(f"{name} holds {text!r}: give strings")
        ids = tuple(encode(text))
        if not ids:
            raise ConfigError(f"{name} holds {text!r}, which is empty: give texts of at least one word")
        if ids in first_with:
            raise ConfigError(f"{name} holds {first_with[ids]!r} and {text!r}, the same to the model: give one of them")
        first_with[ids] = text
    return list(first_with)


def choices_of_each(
    model: SearchModel,
    prompts: Sequence[tuple[Sequence[int], Prefix[Any] | None]],
    texts: Sequence[str],
    token_ids: Sequence[tuple[int, ...]],
) -> list[Choices]:
    """Scores continuations of each of several prompts.

    On a device the prompts are taken together, and what there is of prefixes is read again rather than copied.

    Args:
        model: the model.
        prompts: the token ids of each, and what it begins with.
        texts: the continuations.
        token_ids: theirs.

    Raises:
        PromptError: a prompt leaves the model no positions for the longest.
    """
    longest = max(map(len, token_ids))
    for prompt_ids, _ in prompts:
        # The last token is never read, so it needs no position.
        if len(prompt_ids) + longest - 1 > model.max_positions:
            raise PromptError(
                f"a prompt has {len(prompt_ids):,} tokens and a choice {longest:,}, the model {model.max_positions:,} "
                "positions: shorten the prompt"
            )
    if isinstance(model, DeviceModel):
        scores = continuation_log_probabilities_in_rows(model, [prompt_ids for prompt_ids, _ in prompts], token_ids)
    else:
        scores = [_in_a_tree(model, prompt_ids, prefix, token_ids) for prompt_ids, prefix in prompts]
    return [Choices.of(texts, token_ids, [fsum(row) for row in rows]) for rows in scores]


def _in_a_tree(
    model: TreeModel[Any],
    prompt_ids: Sequence[int],
    prefix: Prefix[Any] | None,
    token_ids: Sequence[tuple[int, ...]],
) -> list[list[float]]:
    """The log-probability of each continuation's tokens behind one prompt, which is read once."""
    room = sum(map(len, token_ids))
    if prefix is None:
        cache = model.new_cache(1, len(prompt_ids) + room)
        return prompt_and_continuation_log_probabilities(model, cache, prompt_ids, token_ids, Limits())
    with one_prompt_read(model, prompt_ids, prefix, room, Limits()) as (read, logits):
        return continuation_log_probabilities(model, read, logits, token_ids)
