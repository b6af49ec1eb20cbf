"""BioGPT's tokenizer: text to ids and back."""

import operator
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import SupportsIndex

from biogpt_onnx.runtime.errors import PromptError
from biogpt_onnx.runtime.tokenizer import moses
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD, BytePairEncoder
from biogpt_onnx.runtime.tokenizer.detokenizer import Detokenizer
from biogpt_onnx.runtime.tokenizer.incremental import IncrementalDecoder
from biogpt_onnx.runtime.tokenizer.memo import Memo
from biogpt_onnx.runtime.tokenizer.punctuation import punctuation_table
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan, token_spans
from biogpt_onnx.runtime.tokenizer.vocabulary import (
    BOS_ID,
    EOS_ID,
    PAD_ID,
    SPECIAL_TOKENS,
    UNK_ID,
    read_merges,
    read_symbols,
)
from biogpt_onnx.runtime.tokenizer.words import WordMap

_SPECIAL = re.compile(f"({'|'.join(map(re.escape, SPECIAL_TOKENS))})")


class BioGptTokenizer:
    """A tokenizer by Moses tokens, then byte-pair encoding; its ids are those of transformers' `BioGptTokenizer`.

    May be shared between threads.

    Args:
        symbols: symbol of each id; the special tokens first.
        merges: pairs of symbols, the first learned first.
        soft_prompt_size: number of rows of a fine-tuned checkpoint behind the vocabulary. No text has their ids.

    Attributes:
        vocab_size: number of rows of the embedding, including the soft prompt's.
        soft_prompt_ids: ids of the soft prompt, in order.
        bos_id: id of `<s>`.
        pad_id: id of `<pad>`.
        eos_id: id of `</s>`, with which every sequence begins and every answer ends.
        unk_id: id of `<unk>`.
    """

    bos_id = BOS_ID
    pad_id = PAD_ID
    eos_id = EOS_ID
    unk_id = UNK_ID

    def __init__(
        self,
        symbols: Sequence[str],
        merges: Sequence[tuple[str, str]],
        *,
        soft_prompt_size: int = 0,
    ) -> None:
        # These are fairseq's names for the rows of a soft prompt.
        soft_prompt = tuple(f"learned{number}" for number in range(1, soft_prompt_size + 1))
        self._symbols = (*symbols, *soft_prompt)
        self._ids = dict(zip(symbols, range(len(symbols)), strict=True))
        self.soft_prompt_ids = tuple(range(len(symbols), len(self._symbols)))
        self.vocab_size = len(self._symbols)
        self._skipped = frozenset((BOS_ID, PAD_ID, EOS_ID, UNK_ID, *self.soft_prompt_ids))
        self._encoder = BytePairEncoder(merges)
        self._words = WordMap(self._ids_of_tokens)
        self._token_memo: Memo[int] = Memo()

    @classmethod
    def from_files(cls, vocab: Path, merges: Path, *, soft_prompt_size: int = 0) -> "BioGptTokenizer":
        """Reads `vocab.json` and `merges.txt`.

        Raises:
            VocabularyError: a file cannot be used.
        """
        return cls(read_symbols(vocab), read_merges(merges), soft_prompt_size=soft_prompt_size)

    @staticmethod
    def warm_up() -> None:
        """Imports slow modules now instead of with the first text that needs them; may be called from any thread."""
        moses.warm_up()

    def encode(self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False) -> list[int]:
        """Returns the ids of a text, with that of `</s>` before them; for a text without words, that alone.

        Args:
            text: any string. Control characters vanish; characters that the vocabulary lacks, a lone surrogate for
                example, become `<unk>`.
            special_tokens: True to read `<s>`, `<pad>`, `</s>` and `<unk>` in the text as the special tokens, as
                transformers does. Not for text from outside, which could end the prompt in its middle.
            normalize_punctuation: True to replace typographic punctuation that the vocabulary lacks by ASCII first.

        Raises:
            PromptError: `text` is not a string, or is one that sacremoses cannot read in reasonable time.
        """
        text = self._checked(text, normalize_punctuation=normalize_punctuation)
        if not special_tokens:
            return [EOS_ID, *self._words.items(text)]
        ids = [EOS_ID]
        for part in _SPECIAL.split(text):
            ids += [self._ids[part]] if part in SPECIAL_TOKENS else self._words.items(part)
        return ids

    def tokenize(self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False) -> list[str]:
        """Returns the symbols of a text, also those that are not in the vocabulary; without `</s>` before them.

        Args and errors are those of `encode`.
        """
        text = self._checked(text, normalize_punctuation=normalize_punctuation)
        words = WordMap(self._symbols_of_tokens)
        symbols: list[str] = []
        for part in _SPECIAL.split(text) if special_tokens else (text,):
            symbols += [part] if special_tokens and part in SPECIAL_TOKENS else words.items(part)
        return symbols

    def tokenize_with_spans(self, text: str, *, normalize_punctuation: bool = False) -> list[TokenSpan]:
        """Returns the symbols of a text as `tokenize` does, each with the characters of the text that it comes from.

        Args and errors are those of `encode`.
        """
        read = self._checked(text, normalize_punctuation=normalize_punctuation)
        spans = token_spans(read, self._encoder.split)
        if read == text:
            return spans
        # A character of the text became several, or none.
        origins = [place for place, character in enumerate(text) for _ in character.translate(self._punctuation)]
        return [span._replace(start=origins[span.start], end=origins[span.end - 1] + 1) for span in spans]

    def decode(self, ids: Iterable[SupportsIndex], *, skip_special_tokens: bool = True) -> str:
        """Returns the text of ids, detokenized.

        Args:
            ids: any ids of the vocabulary.
            skip_special_tokens: True to leave out special tokens, `<unk>` among them, and the soft prompt.

        Raises:
            PromptError: an id is outside the vocabulary.
        """
        numbers = self._checked_ids(ids)
        skipped = self._skipped if skip_special_tokens else frozenset()
        detokenizer = Detokenizer()
        text = "".join([_text(self._symbols[number]) for number in numbers if number not in skipped])
        return detokenizer.push(text) + detokenizer.finish()

    def decode_continuation(self, prompt_ids: Sequence[int], ids: Sequence[int]) -> str:
        """Returns the text to write after a prompt, with the space before it if one belongs there.

        The text is that of all pieces of an `IncrementalDecoder`.

        Raises:
            PromptError: an id is outside the vocabulary.
        """
        decoder = IncrementalDecoder(self, prompt_ids)
        pieces = [decoder.push(number) for number in self._checked_ids(ids)]
        return "".join(pieces) + decoder.finish()

    def id_to_symbol(self, token_id: int) -> str:
        """Returns the symbol of an id, as it is in the vocabulary; `learned1` and so on for the soft prompt.

        Raises:
            PromptError: the id is outside the vocabulary.
        """
        (number,) = self._checked_ids((token_id,))
        return self._symbols[number]

    def symbol_to_id(self, symbol: str) -> int:
        """Returns the id of a symbol; that of `<unk>` for a string that is none. The soft prompt has no symbols."""
        return self._ids.get(symbol, UNK_ID)

    def text_of(self, ids: Iterable[int]) -> str:
        """Returns the text of ids' symbols before detokenization, without special tokens and the soft prompt.

        Raises:
            PromptError: an id is outside the vocabulary.
        """
        return "".join(
            [_text(self._symbols[number]) for number in self._checked_ids(ids) if number not in self._skipped]
        )

    def prompt_text_of(self, ids: Iterable[int]) -> str:
        """Returns the text of a prompt's symbols before detokenization, without special tokens except `<unk>`.

        `<unk>` becomes a word, because in a prompt it stands for characters that the reader does see.

        Raises:
            PromptError: an id is outside the vocabulary.
        """
        return "".join(
            [
                f"{SPECIAL_TOKENS[UNK_ID]} " if number == UNK_ID else _text(self._symbols[number])
                for number in self._checked_ids(ids)
                if number == UNK_ID or number not in self._skipped
            ],
        )

    @cached_property
    def _punctuation(self) -> dict[int, str]:
        return punctuation_table(self._ids)

    def _checked(self, text: str, *, normalize_punctuation: bool) -> str:
        if not isinstance(text, str):
            raise PromptError(f"a text must be a string, is {type(text).__name__}")
        return text.translate(self._punctuation) if normalize_punctuation else text

    def _checked_ids(self, ids: Iterable[SupportsIndex]) -> list[int]:
        try:
            numbers = [operator.index(number) for number in ids]
        except TypeError as error:
            raise PromptError(f"token ids must be integers ({error})") from error
        for number in numbers:
            if not 0 <= number < self.vocab_size:
                raise PromptError(f"token id {number} is outside the vocabulary, 0 to {self.vocab_size - 1:,}")
        return numbers

    def _symbols_of_tokens(self, tokens: list[str]) -> tuple[str, ...]:
        return tuple([symbol for token in tokens for symbol in self._encoder.split(token)])

    def _ids_of_tokens(self, tokens: list[str]) -> tuple[int, ...]:
        ids: list[int] = []
        for token in tokens:
            found = self._token_memo.get(token)
            if found is None:
                found = tuple([self._ids.get(symbol, UNK_ID) for symbol in self._encoder.split(token)])
                self._token_memo.add(token, found)
            ids += found
        return tuple(ids)


def _text(symbol: str) -> str:
    return symbol.replace(" ", "").replace(END_OF_WORD, " ")
