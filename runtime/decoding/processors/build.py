"""The rules of a configuration."""

from collections.abc import Iterator

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import distribution
from biogpt_onnx.runtime.decoding.processors.bias import SequenceBias, bad_words
from biogpt_onnx.runtime.decoding.processors.custom import CustomRule
from biogpt_onnx.runtime.decoding.processors.ending import ForcedBos, ForcedEos, MinLength, MinNewTokens
from biogpt_onnx.runtime.decoding.processors.protocol import LogitsProcessor
from biogpt_onnx.runtime.decoding.processors.repetition import NoRepeatNgram, OccurrencePenalty, RepetitionPenalty
from biogpt_onnx.runtime.decoding.processors.suppression import BeginSuppressTokens, SuppressTokens


def processors_for(config: GenerationConfig, allowed: LogitsProcessor | None = None) -> list[LogitsProcessor]:
    """Returns the rules of a configuration in the order in which they apply, which is transformers'.

    Args:
        config: the settings; those that change nothing add no rule.
        allowed: a rule that keeps to the tokens that the caller allows; applied before tokens are forced or suppressed.
    """
    processors = [*_context_rules(config), *([allowed] if allowed else []), *_token_rules(config)]
    processors += [CustomRule(function, position) for position, function in enumerate(config.logits_processors)]
    return [*processors, *distribution_rules(config)]


def distribution_rules(config: GenerationConfig) -> list[LogitsProcessor]:
    """Returns the rules that shape the distribution to sample from; they depend on the tokens' probabilities alone."""
    return list(_sampling_rules(config)) if config.do_sample else []


def _context_rules(config: GenerationConfig) -> Iterator[LogitsProcessor]:
    if config.sequence_bias:
        yield SequenceBias(dict(config.sequence_bias).items())
    if config.repetition_penalty != 1:
        yield RepetitionPenalty(config.repetition_penalty)
    if config.no_repeat_ngram_size:
        yield NoRepeatNgram(config.no_repeat_ngram_size)
    if config.presence_penalty or config.frequency_penalty:
        yield OccurrencePenalty(config.presence_penalty, config.frequency_penalty)
    if config.bad_words_ids:
        yield bad_words(config.bad_words_ids, config.end_token_ids)
    if config.min_length and config.end_token_ids:
        yield MinLength(config.min_length, config.end_token_ids)
    if config.min_new_tokens and config.end_token_ids:
        yield MinNewTokens(config.min_new_tokens, config.end_token_ids)


def _token_rules(config: GenerationConfig) -> Iterator[LogitsProcessor]:
    if config.forced_bos_token_id is not None:
        yield ForcedBos(config.forced_bos_token_id)
    if config.forced_eos_token_id is not None:
        yield ForcedEos(config.forced_eos_token_id)
    if config.suppress_tokens:
        yield SuppressTokens(config.suppress_tokens)
    if config.begin_suppress_tokens:
        yield BeginSuppressTokens(config.begin_suppress_tokens, has_forced_bos=config.forced_bos_token_id is not None)


def _sampling_rules(config: GenerationConfig) -> Iterator[LogitsProcessor]:
    if config.temperature != 1:
        yield distribution.Temperature(config.temperature)
    if config.top_k:
        yield distribution.TopK(config.top_k)
    if config.top_p < 1:
        yield distribution.TopP(config.top_p)
    if config.min_p:
        yield distribution.MinP(config.min_p)
    if config.typical_p < 1:
        yield distribution.Typical(config.typical_p)
    if config.epsilon_cutoff:
        yield distribution.EpsilonCutoff(config.epsilon_cutoff)
    if config.eta_cutoff:
        yield distribution.EtaCutoff(config.eta_cutoff)
