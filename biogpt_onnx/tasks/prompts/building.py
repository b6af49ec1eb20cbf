"""Prompt building: from a document to token ids that fit within the model's positions."""

import bisect
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.results import Generation, Usage
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.source import Source, SourceBuilder

TooLong = Literal["error", "cut", "windows"]
"""Handling of a document that is too long: "error" refuses it, "cut" reads it up to the last sentence that fits,
"windows" reads all of it in overlapping windows and combines their results."""

WINDOW_TOKENS = 384
"""The most tokens of a window's prompt by default; most abstracts have fewer."""

LEAST_WINDOW = 64
"""The least value of `Reading.window_tokens`."""

_MAX_CHARACTERS_A_TOKEN = 16

SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[]*[A-Z])")
"""The end of a sentence, with the space behind it. A capital must follow: "(Fig. 1)" is no end."""

# Texts in lower case have no capitals.
_POSSIBLE_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=\S)")
_WORD_END = re.compile(r"\S(?=\s)")


@dataclass(frozen=True)
class Reading:
    """Settings of prompt building.

    Attributes:
        too_long: Handling of documents that are too long; see `TooLong`.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        window_tokens: The most tokens of the prompt of a window. Models that were fine-tuned on abstracts find more in
            windows of an abstract's length than in longer ones.
        max_source_tokens: The most tokens of a source, without the starting token and the soft prompt; a document with
            more is too long. Microsoft's scripts have 640. None for as many as fit.

    Raises:
        ConfigError: `too_long` is another word, `window_tokens` is below 64, or `max_source_tokens` below 1.
    """

    too_long: TooLong = "error"
    normalize_punctuation: bool = False
    window_tokens: int = WINDOW_TOKENS
    max_source_tokens: int | None = None

    def __post_init__(self) -> None:
        too_long: object = self.too_long
        if not isinstance(too_long, str) or too_long not in get_args(TooLong):
            raise ConfigError(f"too_long is {too_long!r}: give one of {', '.join(get_args(TooLong))}")
        if type(self.window_tokens) is not int or self.window_tokens < LEAST_WINDOW:
            raise ConfigError(f"window_tokens is {self.window_tokens}: give a whole number of {LEAST_WINDOW} or more")
        most = self.max_source_tokens
        if most is not None and (type(most) is not int or most < 1):
            raise ConfigError(f"max_source_tokens is {most}: give a whole number of 1 or more, or None")


@dataclass(frozen=True)
class Prepared:
    """A document with a prompt, of the whole document or of a part of it.

    Attributes:
        document: The document as it was given.
        source: The source text of the prompt.
        symbols: The source text's tokens as strings, in order.
        source_ids: The ids of these tokens.
        prompt_ids: The prompt: `</s>`, the source's ids and the bundle's soft prompt.
        read: Number of characters of the document's full text up to the end of what the prompt holds.
        dropped_tokens: Number of the document's tokens that the prompt leaves out because the document was cut.
    """

    document: Document
    source: Source
    symbols: tuple[str, ...]
    source_ids: tuple[int, ...]
    prompt_ids: tuple[int, ...]
    read: int
    dropped_tokens: int = 0

    def usage(self, generation: Generation | None = None) -> Usage:
        """Returns the numbers of tokens that an answer took: of the prompt, and of the text that was generated."""
        new_tokens = 0 if generation is None else generation.usage.new_tokens
        return Usage(len(self.prompt_ids), new_tokens, self.dropped_tokens)


@dataclass(frozen=True)
class PromptBuilder:
    """Builds the prompts of one document, of its whole text or of a part of it.

    Attributes:
        model: The model, with its tokenizer and its number of positions.
        document: The document.
        source_of: Makes the source text of the task's prompts.
        reading: Handling of long texts and of typographic punctuation.
        soft_prompt: Appends the bundle's soft prompt to the source.
        least_new_tokens: Number of positions that a prompt must leave for new tokens.
        most_tokens: The most tokens of a prompt, if that is fewer than its positions leave.
    """

    model: BioGPT
    document: Document
    source_of: SourceBuilder
    reading: Reading
    soft_prompt: bool
    least_new_tokens: int
    most_tokens: int | None = None

    @property
    def room(self) -> int:
        """The most tokens of a prompt."""
        room = self.model.manifest.architecture.max_positions - self.least_new_tokens
        most = [room] if self.most_tokens is None else [room, self.most_tokens]
        if self.reading.max_source_tokens is not None:
            most.append(1 + self.reading.max_source_tokens + len(self._soft_prompt_ids))
        return min(most)

    @property
    def _soft_prompt_ids(self) -> tuple[int, ...]:
        return tuple(self.model.tokenizer.soft_prompt_ids) if self.soft_prompt else ()

    def whole(self) -> Prepared:
        """Returns the prompt of the whole document, whatever its length.

        Raises:
            PromptError: The text has no words.
        """
        if not self.document.text.strip():
            raise PromptError("the document is empty: give it a text")
        prepared = self.part(0, len(self.document.text))
        if not prepared.source_ids:
            raise PromptError("the document holds no words: give it a text")
        return prepared

    def part(self, start: int, end: int) -> Prepared:
        """Returns the prompt of a part of the document's text, with its title and question, whatever its length."""
        tokenizer, document = self.model.tokenizer, self.document
        is_whole = (start, end) == (0, len(document.text))
        text = document.text if is_whole else document.text[start:end].rstrip()
        source = self._source(replace(document, text=text)).moved(_start_of_text(document), start)
        symbols = tokenizer.tokenize(source.text, normalize_punctuation=self.reading.normalize_punctuation)
        source_ids = tuple(map(tokenizer.symbol_to_id, symbols))
        prompt_ids = (tokenizer.eos_id, *source_ids, *self._soft_prompt_ids)
        read = _start_of_text(document) + start + len(text)
        return Prepared(document, source, tuple(symbols), source_ids, prompt_ids, read)

    def _source(self, document: Document) -> Source:
        source: object = self.source_of(document)
        if not isinstance(source, Source):
            raise ConfigError(f"the task's source gave a {type(source).__name__}: let it return a Source")
        return source

    def fits(self, prepared: Prepared) -> bool:
        """Returns True if a prompt leaves room for the answer."""
        return len(prepared.prompt_ids) <= self.room

    def longest(self, start: int) -> int:
        """Returns the end of the longest part from `start` that fits: a sentence's end, else a word's.

        Raises:
            PromptError: Not even a word fits.
        """
        found = [self._last_fitting(start, pattern) for pattern in (SENTENCE_END, _POSSIBLE_SENTENCE_END, _WORD_END)]
        for end, other in pairwise(found):
            # A sentence's end that leaves most of the room unused is not worth it.
            if end is not None and (other is None or end - start > (other - start) // 2):
                return end
        if found[-1] is not None:
            return found[-1]
        raise PromptError(
            f"the document's conclusion, title or question alone takes more than the {self.room:,} tokens that the "
            "model reads: shorten it"
        )

    def _last_fitting(self, start: int, pattern: re.Pattern[str]) -> int | None:
        """Returns the last end that a pattern finds of which the part fits; None if there is none."""
        text = self.document.text
        # The farthest end that is tried; hardly a text has more characters a token.
        horizon = start + _MAX_CHARACTERS_A_TOKEN * self.room
        ends = [match.end() for match in pattern.finditer(text, start, horizon)]
        if horizon >= len(text):
            ends.append(len(text))
        # Longer texts have more tokens.
        num_fitting = bisect.bisect_right(ends, self.room, key=lambda end: len(self.part(start, end).prompt_ids))
        return ends[num_fitting - 1] if num_fitting else None


def build_prompt(builder: PromptBuilder) -> Prepared:
    """Builds the prompt of a document, which is cut if the settings say so.

    Raises:
        PromptError: The text has no words, or more than fit.
    """
    prepared = builder.whole()
    if builder.fits(prepared):
        return prepared
    if builder.reading.too_long != "cut":
        raise PromptError(
            f'{_excess(builder, prepared)}: shorten it, have it read in windows (too_long "windows"), or have it cut '
            'at the end of a sentence (too_long "cut")'
        )
    cut = builder.part(0, builder.longest(0))
    return replace(cut, dropped_tokens=len(prepared.source_ids) - len(cut.source_ids))


def _excess(builder: PromptBuilder, prepared: Prepared) -> str:
    """Returns by how much a prompt is too long, in words."""
    most, size = builder.reading.max_source_tokens, len(prepared.source_ids)
    if most is not None and size > most:
        return f"the document has {size:,} tokens, of which max_source_tokens allows {most:,}"
    return (
        f"the document has {len(prepared.prompt_ids):,} tokens, of which the model reads {builder.room:,} and answers "
        "in the rest"
    )


def _start_of_text(document: Document) -> int:
    return len(document.full_text) - len(document.text)
