"""Prompt building: from a document to token ids that fit within the model's positions."""

import bisect
import re
from dataclasses import dataclass, replace
from typing import Literal

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.source import Source, SourceBuilder

TooLong = Literal["error", "cut"]
"""Handling of a document that is too long: "error" refuses it, "cut" reads it up to the last sentence that fits."""

_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=\S)")
_WORD_END = re.compile(r"\S(?=\s)")


@dataclass(frozen=True)
class Reading:
    """Settings of prompt building.

    Attributes:
        too_long: Handling of documents that are too long; see `TooLong`.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.

    Raises:
        ConfigError: `too_long` is neither "error" nor "cut".
    """

    too_long: TooLong = "error"
    normalize_punctuation: bool = False

    def __post_init__(self) -> None:
        if self.too_long not in {"error", "cut"}:
            raise ConfigError(f'too_long is {self.too_long!r}: give "error" or "cut"')


@dataclass(frozen=True)
class Prepared:
    """A document with its prompt.

    Attributes:
        document: The document as it was given.
        source: The source text of the prompt.
        symbols: The source text's tokens as strings, in order.
        source_ids: The ids of these tokens.
        prompt_ids: The prompt: `</s>`, the source's ids and the bundle's soft prompt.
        read: Number of characters of the document's full text that the prompt holds.
    """

    document: Document
    source: Source
    symbols: tuple[str, ...]
    source_ids: tuple[int, ...]
    prompt_ids: tuple[int, ...]
    read: int


def build_prompt(  # noqa: PLR0913 -- what makes a prompt
    model: BioGPT,
    document: Document,
    source_of: SourceBuilder,
    reading: Reading,
    *,
    soft_prompt: bool,
    least_new_tokens: int,
) -> Prepared:
    """Builds the prompt of a document.

    Args:
        model: The model, with its tokenizer and its number of positions.
        document: The document.
        source_of: Makes the source text of the task's prompts.
        reading: Handling of long texts and of typographic punctuation.
        soft_prompt: Appends the bundle's soft prompt to the source.
        least_new_tokens: Number of positions that the prompt must leave for new tokens.

    Returns:
        The document with its prompt.

    Raises:
        PromptError: The text has no words, or more than fit.
    """
    if not document.text.strip():
        raise PromptError("the document is empty: give it a text")
    room = model.manifest.architecture.max_positions - least_new_tokens
    prepared = _prepared(model, document, document, source_of, reading, soft_prompt=soft_prompt)
    if not prepared.source_ids:
        raise PromptError("the document holds no words: give it a text")
    if len(prepared.prompt_ids) <= room:
        return prepared
    if reading.too_long == "error":
        raise PromptError(
            f"the document has {len(prepared.prompt_ids):,} tokens, of which the model reads {room:,} and answers in "
            'the rest: shorten it, or have it cut at the end of a sentence (too_long "cut")'
        )

    def cut(end: int) -> Prepared:
        shorter = replace(document, text=document.text[:end].rstrip())
        return _prepared(model, document, shorter, source_of, reading, soft_prompt=soft_prompt)

    for pattern in (_SENTENCE_END, _WORD_END):
        ends = [match.end() for match in pattern.finditer(document.text)]
        # Longer texts have more tokens.
        num_fitting = bisect.bisect_right(ends, room, key=lambda end: len(cut(end).prompt_ids))
        if num_fitting:
            return cut(ends[num_fitting - 1])
    raise PromptError(
        f"the document's conclusion, title or question alone takes more than the {room:,} tokens that the model reads: "
        "shorten it"
    )


def _prepared(  # noqa: PLR0913 -- what makes a prompt
    model: BioGPT,
    document: Document,
    shorter: Document,
    source_of: SourceBuilder,
    reading: Reading,
    *,
    soft_prompt: bool,
) -> Prepared:
    """Builds the prompt of a document from a shorter form of it, whatever its length."""
    tokenizer = model.tokenizer
    source = source_of(shorter)
    symbols = tokenizer.tokenize(source.text, normalize_punctuation=reading.normalize_punctuation)
    source_ids = tuple(map(tokenizer.symbol_to_id, symbols))
    prompt_ids = (tokenizer.eos_id, *source_ids, *(tokenizer.soft_prompt_ids if soft_prompt else ()))
    return Prepared(document, source, tuple(symbols), source_ids, prompt_ids, len(shorter.full_text))
