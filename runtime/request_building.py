"""Building of requests from prompts and settings, and of results from requests whose search has ended."""

from collections.abc import Callable, Sequence
from typing import Any

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.decoding.selection.sampler import generators
from biogpt_onnx.runtime.decoding.state import AllowedTokens, SequenceState
from biogpt_onnx.runtime.decoding.stopping import CallersEnd, ContinuationText
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.results import Generation, Hypothesis, Timings, Usage
from biogpt_onnx.runtime.token_logprobs import continuation_spans, generated_logprobs
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, IncrementalDecoder

Allowed = AllowedTokens | Sequence[str] | Sequence[AllowedTokens | None] | None
"""A constraint on the new text: one rule for all prompts, texts of which it must be one, or a rule for each prompt.

None allows every text.
"""


def allowed_rules(
    allowed: Allowed, count: int, trie_of: Callable[[Sequence[str]], TokenTrie]
) -> list[AllowedTokens | None]:
    """Returns a rule for each of `count` prompts; None for a prompt without one.

    Args:
        allowed: the constraint that the caller gave.
        count: number of prompts.
        trie_of: returns the rule that the new text must be one of these texts.

    Raises:
        ConfigError: `allowed` is neither a rule, nor texts, nor a rule for each prompt.
    """
    if allowed is None:
        return [None] * count
    if callable(allowed):
        return [allowed] * count
    items = allowed if isinstance(allowed, list | tuple) else []
    if not items:
        raise ConfigError(f"allowed is {allowed!r}: give a list of texts, a function, or a function for each prompt")
    texts = [text for text in items if isinstance(text, str)]
    if len(texts) == len(items):
        return [trie_of(texts)] * count
    rules = [rule for rule in items if rule is None or callable(rule)]
    if len(rules) < len(items) or len(rules) != count:
        raise ConfigError(
            f"allowed holds {len(items)} rules for {count} prompts: give texts alone, or a function for each prompt"
        )
    return rules


def seeds(config: GenerationConfig, count: int) -> list[int | None]:
    """Returns the seed of each of `count` prompts; None for one that gets different samples each time.

    Raises:
        ConfigError: there are several seeds, but not one for each prompt.
    """
    if config.seed is None or isinstance(config.seed, int):
        return [config.seed] * count
    if len(config.seed) != count:
        raise ConfigError(
            f"seed holds {len(config.seed)} numbers for {count} prompts: give one, or one for each prompt"
        )
    return list(config.seed)


def room_for_new_tokens(prompt_ids: Sequence[int], max_positions: int, config: GenerationConfig) -> int:
    """Returns the number of new tokens that a prompt may get; the last one is never read, so it needs no position.

    Raises:
        ConfigError: `max_length` leaves no room for a new token.
    """
    return min(config.most_new_tokens(len(prompt_ids)), max_positions - len(prompt_ids) + 1)


def build_request(  # noqa: PLR0913 -- each argument may differ from prompt to prompt
    tokenizer: BioGptTokenizer,
    prompt_ids: tuple[int, ...],
    max_new_tokens: int,
    config: GenerationConfig,
    *,
    prefix: Prefix[Any] | None = None,
    rule: AllowedTokens | None = None,
    seed: int | None = None,
    dropped_tokens: int = 0,
) -> Request:
    """Returns the request of one prompt, with a sequence for each sample, or a single one without sampling.

    Args:
        tokenizer: converts the new tokens to text, in which stop strings are found.
        prompt_ids: token ids of the prompt.
        max_new_tokens: most new tokens that the prompt may get.
        config: the settings.
        prefix: the beginning of the prompt, if it has been read before.
        rule: the tokens that may come next; None for all.
        seed: makes the samples repeatable; None for different samples each time.
        dropped_tokens: number of the prompt's tokens that were left out because it is too long.

    Raises:
        ConfigError: the rule allows texts that have more tokens than there may be.
    """
    if isinstance(rule, TokenTrie):
        rule.check_room(max_new_tokens, config.end_token_ids)
    generators_of_samples = generators(seed, config.num_return_sequences) if config.do_sample else [None]
    states = [
        SequenceState(
            prompt_ids,
            max_new_tokens,
            eos_token_id=config.end_token_ids,
            random=generator,
            watch=_callers_end(tokenizer, prompt_ids, config),
            allowed=rule,
            prefix=prefix,
        )
        for generator in generators_of_samples
    ]
    return Request(states, dropped_tokens=dropped_tokens)


def continuation_text(
    tokenizer: BioGptTokenizer, prompt_ids: Sequence[int], config: GenerationConfig
) -> ContinuationText:
    """Returns the text of a prompt's continuation, which has no tokens yet."""
    decoder = IncrementalDecoder(tokenizer, prompt_ids)
    return ContinuationText(decoder, config.stop_strings, decoder.prompt_text)


def _callers_end(tokenizer: BioGptTokenizer, prompt_ids: Sequence[int], config: GenerationConfig) -> CallersEnd | None:
    if not (config.stop_strings or config.stopping_criteria):
        return None
    return CallersEnd(continuation_text(tokenizer, prompt_ids, config), config.stopping_criteria, prompt_ids)


def build_generation(
    backend: Backend[Any],
    tokenizer: BioGptTokenizer,
    request: Request,
    config: GenerationConfig,
    *,
    tokenize_seconds: float,
) -> Generation:
    """Returns the answer to a request whose search has ended."""
    hypotheses = [_hypothesis(backend, tokenizer, state, config) for state in request.states]
    hypotheses.sort(key=lambda hypothesis: -hypothesis.score)
    timings = Timings(
        tokenize_seconds, request.prefill, request.decode, request.steps, request.captured_steps, request.queue
    )
    new_tokens = sum(state.num_new_tokens for state in request.states)
    usage = Usage(len(request.states[0].prompt_ids), new_tokens, request.dropped_tokens)
    return Generation.of(tuple(hypotheses), timings, usage)


def _hypothesis(
    backend: Backend[Any], tokenizer: BioGptTokenizer, state: SequenceState, config: GenerationConfig
) -> Hypothesis:
    if state.finish_reason is None:
        raise RuntimeError("the search ended before the sequence did")
    continuation = continuation_text(tokenizer, state.prompt_ids, config)
    written = state.token_ids[: -1 if state.finish_reason == "eos" else None]
    logprobs = None
    if config.logprobs:
        spans = continuation_spans(continuation, state.token_ids, len(written))
        logprobs = generated_logprobs(backend, tokenizer, state, spans, config.logprobs)
    else:
        for token in written:
            continuation.push(token)
    return Hypothesis(
        continuation.text,
        tuple(state.token_ids),
        state.score,
        tuple(state.log_probabilities),
        state.finish_reason,
        logprobs,
    )
