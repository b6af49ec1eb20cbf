"""From a document to the token ids of a prompt, within the model's positions."""

import bisect
import re
from dataclasses import dataclass, replace
from typing import Literal

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.source import Source, SourceOf

TooLong = Literal["error", "cut"]
"""What becomes of a document that is too long: an error, or it is read up to the last sentence that fits."""

_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=\S)")
_WORD_END = re.compile(r"\S(?=\s)")


@dataclass(frozen=True)
class Reading:
    """How documents become prompts.

    Attributes:
        too_long: see `TooLong`.
        normalize_punctuation: read typographic punctuation that the vocabulary lacks as ASCII.
    """

    too_long: TooLong = "error"
    normalize_punctuation: bool = False

    def __post_init__(self) -> None:
        if self.too_long not in {"error", "cut"}:
            raise ConfigError(f'too_long is {self.too_long!r}: give "error" or "cut"')


@dataclass(frozen=True)
class Prepared:
    """A document that is ready to be read.

    Attributes:
        document: as it was given.
        source: as the model gets it.
        symbols: of the source, in order.
        source_ids: their ids.
        prompt_ids: `</s>`, these, and the bundle's soft prompt.
        read: characters of the document's full text that are in the prompt.
    """

    document: Document
    source: Source
    symbols: tuple[str, ...]
    source_ids: tuple[int, ...]
    prompt_ids: tuple[int, ...]
    read: int


def prepare(  # noqa: PLR0913 -- what makes a prompt
    model: BioGPT,
    document: Document,
    source_of: SourceOf,
    reading: Reading,
    *,
    soft_prompt: bool,
    least_new_tokens: int,
) -> Prepared:
    """Makes the prompt of a document.

    Args:
        model: whose tokenizer and positions count.
        document: what is asked about.
        source_of: the task's form of it.
        reading: what becomes of a text that is too long or has typographic punctuation.
        soft_prompt: whether the bundle's soft prompt stands behind the source.
        least_new_tokens: for which there must be room.

    Raises:
        PromptError: there are no words in the text, or more than fit.
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
        fitting = bisect.bisect_right(ends, room, key=lambda end: len(cut(end).prompt_ids))
        if fitting:
            return cut(ends[fitting - 1])
    raise PromptError(
        f"the document's title or question alone takes more than the {room:,} tokens that the model reads: shorten it"
    )


def _prepared(  # noqa: PLR0913 -- what makes a prompt
    model: BioGPT,
    document: Document,
    shorter: Document,
    source_of: SourceOf,
    reading: Reading,
    *,
    soft_prompt: bool,
) -> Prepared:
    tokenizer = model.tokenizer
    source = source_of(shorter)
    symbols = tokenizer.tokenize(source.text, normalize_punctuation=reading.normalize_punctuation)
    source_ids = tuple(map(tokenizer.symbol_to_id, symbols))
    prompt_ids = (tokenizer.eos_id, *source_ids, *(tokenizer.soft_prompt_ids if soft_prompt else ()))
    return Prepared(document, source, tuple(symbols), source_ids, prompt_ids, len(shorter.full_text))
