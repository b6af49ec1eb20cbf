"""Settings of other libraries that are no settings here: those that change nothing, and what stands in place of others.

This is the one list of them. The page "From transformers" shows it, and a test compares the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from biogpt_onnx.runtime.decoding.plain_values import plain_number, shown
from biogpt_onnx.runtime.errors import ConfigError

ARGUMENTS = ("prefix", "allowed", "cancel")
"""Arguments of a call beside its settings; a misspelt one is taken for a setting."""


@dataclass(frozen=True)
class OtherName:
    """Settings of another library that are no settings here.

    Attributes:
        names: names of the settings.
        remark: reason why they change nothing here, or what to do instead.
        is_ignored: True if they are taken with any value, because they change nothing here.
        neutral: values beside None that are taken, because the setting is off with them.
    """

    names: tuple[str, ...]
    remark: str
    is_ignored: bool = False
    neutral: tuple[object, ...] = ()

    def is_neutral(self, value: object) -> bool:
        """Returns True for a value with which the setting is off."""
        plain = plain_number(value)
        return plain is None or any(type(plain) is type(one) and plain == one for one in self.neutral)


def _ignored(names: str, remark: str) -> OtherName:
    return OtherName(tuple(names.split()), remark, is_ignored=True)


def _refused(names: str, remark: str, off: tuple[object, ...] = ()) -> OtherName:
    return OtherName(tuple(names.split()), remark, neutral=off)


OF_TRANSFORMERS = (
    _ignored("use_cache", "keys and values are always cached"),
    _ignored("pad_token_id", "no row is padded"),
    _ignored("bos_token_id decoder_start_token_id", "every prompt begins with `</s>`"),
    _ignored("return_dict_in_generate", "every result is a `Generation`"),
    _ignored("cache_implementation cache_config max_cache_len return_legacy_cache", "there is one kind of cache"),
    _ignored("prefill_chunk_size low_memory", "a long prompt is always read in parts"),
    _ignored("compile_config disable_compile", "nothing is compiled while the model runs"),
    _ignored("continuous_batching_config use_mtp", "a way to compute"),
    _ignored("synced_gpus", "a model runs on one device"),
    _ignored("use_model_defaults", "the bundle's own settings are the default of a call without a `config`"),
    _ignored("remove_invalid_values", "a logit that is NaN or infinite is an error"),
    _ignored("is_assistant num_assistant_tokens num_assistant_tokens_schedule", "there is no assistant model"),
    _ignored("assistant_confidence_threshold assistant_early_exit", "there is no assistant model"),
    _ignored("assistant_lookbehind target_lookbehind", "there is no assistant model"),
    _ignored("assistant_ensemble_weight speculation_type", "there is no assistant model"),
    _ignored("tokenizer", "the bundle has its own"),
    _ignored("transformers_version _from_model_config _commit_hash", "a record, not a setting"),
    _refused("output_scores", "set `logprobs`, or read the `log_probabilities` of each of `sequences`", off=(False,)),
    _refused("output_logits", "call `logits` with the ids of prompt and answer", off=(False,)),
    _refused("output_hidden_states", "call `embed`, which pools them", off=(False,)),
    _refused("output_attentions", "attention weights are never stored", off=(False,)),
    _refused("num_beam_groups diversity_penalty", "search with `num_beams` alone, or draw samples", off=(1, 0, 0.0)),
    _refused("penalty_alpha", "contrastive search is not supported: sample with `top_k` or `typical_p`", off=(0, 0.0)),
    _refused("constraints force_words_ids", "give `allowed`, the texts or a function of allowed tokens", off=([], ())),
    _refused("guidance_scale", "guidance is not supported", off=(1, 1.0)),
    _refused("negative_prompt_ids negative_prompt_attention_mask", "guidance is not supported"),
    _refused("dola_layers", "contrasting layers is not supported"),
    _refused("top_h", "sample with `top_p`, `min_p` or `typical_p`"),
    _refused("token_healing", "end the prompt with a whole word", off=(False,)),
    _refused("watermarking_config", "write it as one of `logits_processors`"),
    _refused("exponential_decay_length_penalty", "write it as one of `logits_processors`"),
    _refused("renormalize_logits", "scores are those of the model, without renormalization", off=(False,)),
    _refused("encoder_repetition_penalty", "give `repetition_penalty`, which counts the prompt", off=(1, 1.0)),
    _refused("encoder_no_repeat_ngram_size", "give `no_repeat_ngram_size`, which counts the prompt", off=(0,)),
    _refused("assistant_model", "give `prompt_lookup_num_tokens`, which drafts without a second model"),
    _refused("streamer", "call `stream` or `astream`"),
    _refused("logits_processor", "give `logits_processors`: functions of one row's ids and logits"),
    _refused("prefix_allowed_tokens_fn", "give `allowed`: a function of the new ids, or one for each prompt"),
    _refused("generation_config", "give a `GenerationConfig` of this package as `config`"),
    _refused("custom_generate trust_remote_code", "no code of a checkpoint is run", off=(False,)),
    _refused("inputs input_ids", "call `generate_ids`"),
    _refused("attention_mask position_ids", "leave it out: `generate_ids` takes rows of unequal length, unpadded"),
    _refused("inputs_embeds", "prompts are texts or ids"),
    _refused("past_key_values", "read the beginning with `prefix` and give that"),
)
"""Names of transformers: of its `GenerationConfig`, and of the arguments of its `generate`."""

OF_VLLM = (
    _refused("max_tokens", "give `max_new_tokens`"),
    _refused("min_tokens", "give `min_new_tokens`"),
    _refused("n best_of", "give `num_return_sequences`"),
    _refused("stop", "give `stop_strings`"),
    _refused("stop_token_ids", "give `eos_token_id`, which takes several"),
    _refused("ignore_eos", "give `eos_token_id=None`", off=(False,)),
    _refused("bad_words", "give `bad_words_ids`", off=([], ())),
    _refused("allowed_token_ids", "give `allowed`, a function of the new ids"),
    _refused("structured_outputs guided_decoding", "give `allowed`, the texts or a function of allowed tokens"),
    _refused("logit_bias", "give `sequence_bias`, whose keys are tuples of ids"),
    _refused("prompt_logprobs", "call `score(text, logprobs=N)`"),
    _refused("truncate_prompt_tokens", 'give `truncation="left"`'),
    _refused("include_stop_str_in_output", "the text ends before a stop string", off=(False,)),
    _ignored("detokenize skip_special_tokens spaces_between_special_tokens", "every result has text and ids"),
    _refused("sampling_params", "give the settings as keyword arguments, or a `GenerationConfig` as `config`"),
)
"""Names of vLLM's `SamplingParams`."""

OF_LLAMA_CPP = (
    _refused("repeat_penalty", "give `repetition_penalty`"),
    _refused("echo", "the prompt is not part of the text", off=(False,)),
    _refused("suffix", "text is continued at its end only"),
    _refused("stream", "call `stream`", off=(False,)),
    _refused("tfs_z", "sample with `typical_p` or `min_p`", off=(1, 1.0)),
    _refused("mirostat_mode mirostat_tau mirostat_eta", "sample with `typical_p` or `eta_cutoff`", off=(0,)),
    _refused("grammar response_format", "give `allowed`, the texts or a function of allowed tokens"),
)
"""Names of llama-cpp-python's `create_completion`, beside those that vLLM has too."""

_KNOWN = {name: entry for entry in (*OF_TRANSFORMERS, *OF_VLLM, *OF_LLAMA_CPP) for name in entry.names}


def find(name: str) -> OtherName | None:
    """Returns what is known of another library's setting; None for one that is not known."""
    return _KNOWN.get(name)


def own_settings(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Returns the settings that are settings here, without those of other libraries that change nothing.

    Args:
        settings: settings by name.
        names: names of the settings here.

    Raises:
        ConfigError: a setting is not known, or changes the answer in a way that is not supported.
    """
    own = {}
    for name, value in settings.items():
        if name in names:
            own[name] = value
            continue
        other = find(name)
        if other is None:
            raise ConfigError(f"{name} is not a setting: {_advice(name, names)}")
        if not (other.is_ignored or other.is_neutral(value)):
            what = f"is {shown(value)}" if other.neutral else "is not a setting"
            raise ConfigError(f"{name} {what}: {other.remark.replace('`', '')}")
    return own


def _advice(name: str, names: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 -- for an error alone

    close = difflib.get_close_matches(name, [*names, *ARGUMENTS], n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
