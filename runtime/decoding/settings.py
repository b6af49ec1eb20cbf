"""Types of the settings as keyword arguments, by which type checkers and editors know them."""

from collections.abc import Mapping, Sequence
from typing import Literal, SupportsFloat, SupportsIndex, TypedDict

from biogpt_onnx.runtime.decoding.config import CustomProcessor, CustomStop, Truncation
from biogpt_onnx.runtime.decoding.plain_values import Array

WholeNumber = int | SupportsIndex
"""A whole number of Python, numpy or torch."""

Number = float | SupportsFloat
"""A number of Python, numpy or torch."""

TokenIds = Sequence[WholeNumber] | Array
"""Token ids: a list or tuple, or an array or tensor of numpy or torch."""

TokenRows = Sequence[TokenIds] | Array
"""Rows of token ids: a list of rows of any lengths, or an array or tensor [rows, tokens]."""


class Settings(TypedDict, total=False):
    """Settings of a generation as keyword arguments; `GenerationConfig` describes each.

    For functions that hand settings on: `def ask(question: str, **settings: Unpack[Settings])`. None turns a setting
    off, which is its default.
    """

    max_new_tokens: WholeNumber | None
    min_new_tokens: WholeNumber | None
    max_length: WholeNumber | None
    min_length: WholeNumber | None
    max_time: Number | None
    eos_token_id: WholeNumber | TokenIds | Literal["model"] | None
    stop_strings: str | Sequence[str] | None
    stopping_criteria: CustomStop | Sequence[CustomStop] | None
    num_beams: WholeNumber | None
    num_return_sequences: WholeNumber | None
    length_penalty: Number | None
    early_stopping: bool | Literal["never"] | None
    do_sample: bool | None
    seed: WholeNumber | TokenIds | None
    temperature: Number | None
    top_k: WholeNumber | None
    top_p: Number | None
    min_p: Number | None
    typical_p: Number | None
    epsilon_cutoff: Number | None
    eta_cutoff: Number | None
    repetition_penalty: Number | None
    presence_penalty: Number | None
    frequency_penalty: Number | None
    no_repeat_ngram_size: WholeNumber | None
    bad_words_ids: TokenRows | None
    sequence_bias: Mapping[tuple[int, ...], Number] | Sequence[tuple[TokenIds, Number]] | None
    suppress_tokens: TokenIds | None
    begin_suppress_tokens: TokenIds | None
    forced_bos_token_id: WholeNumber | None
    forced_eos_token_id: WholeNumber | None
    logits_processors: CustomProcessor | Sequence[CustomProcessor] | None
    prompt_lookup_num_tokens: WholeNumber | None
    max_matching_ngram_size: WholeNumber | None
    truncation: Truncation | None
    special_tokens: bool | None
    normalize_punctuation: bool | None
    logprobs: WholeNumber | None
