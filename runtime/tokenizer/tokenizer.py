"""BioGPT's tokenizer: text to ids and back."""

import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import SupportsIndex

from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.tokenizer import moses
from biogpt_onnx.runtime.tokenizer.added_tokens import AddedToken, AddedTokenSplitter, read_added_tokens
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD, BytePairEncoder
from biogpt_onnx.runtime.tokenizer.detokenizer import JOINT, Detokenizer, unescaped
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
    VocabularyError,
    read_merges,
    read_symbols,
)
from biogpt_onnx.runtime.tokenizer.words import WordMap

_SPECIAL = tuple(AddedToken(number, content) for number, content in enumerate(SPECIAL_TOKENS))


class BioGptTokenizer:
    """A tokenizer by Moses tokens, then byte-pair encoding; its ids are those of transformers' `BioGptTokenizer`.

    May be shared between threads.

    Args:
        symbols: symbol of each id; the special tokens first.
        merges: pairs of symbols, the first learned first.
        soft_prompt_size: number of rows of a fine-tuned checkpoint behind the vocabulary. No text has their ids.
        added_tokens: tokens whose text is never divided; those that are no symbols have the ids behind the symbols'.

    Attributes:
        added_tokens: tokens beside the vocabulary whose text is never divided.
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
        added_tokens: Sequence[AddedToken] = (),
    ) -> None:
        # These are fairseq's names for the rows of a soft prompt.
        soft_prompt = tuple(f"learned{number}" for number in range(1, soft_prompt_size + 1))
        named = (*symbols, *_behind(symbols, added_tokens))
        self._symbols = (*named, *soft_prompt)
        self._ids = dict(zip(named, range(len(named)), strict=True))
        self.added_tokens = tuple(added_tokens)
        self.soft_prompt_ids = tuple(range(len(named), len(self._symbols)))
        self.vocab_size = len(self._symbols)
        special = (token.token_id for token in added_tokens if token.is_special)
        self._skipped = frozenset((BOS_ID, PAD_ID, EOS_ID, UNK_ID, *special, *self.soft_prompt_ids))
        self._added = AddedTokenSplitter(token for token in added_tokens if not token.is_control)
        self._added_and_special = AddedTokenSplitter((*_SPECIAL, *added_tokens))
        self._encoder = BytePairEncoder(merges)
        self._words = WordMap(self._ids_of_tokens)
        self._token_memo: Memo[int] = Memo()

    @classmethod
    def from_files(
        cls, vocab: Path, merges: Path, *, soft_prompt_size: int = 0, config: Path | None = None
    ) -> "BioGptTokenizer":
        """Reads `vocab.json`, `merges.txt` and, where there are added tokens, `tokenizer_config.json`.

        Raises:
            VocabularyError: a file cannot be used.
        """
        added = () if config is None else read_added_tokens(config)
        return cls(read_symbols(vocab), read_merges(merges), soft_prompt_size=soft_prompt_size, added_tokens=added)

    @staticmethod
    def warm_up() -> None:
        """Imports slow modules now instead of with the first text that needs them; may be called from any thread."""
        moses.warm_up()

    def encode(self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False) -> list[int]:
        """Returns the ids of a text, with that of `</s>` before them; for a text without words, that alone.

        The text of an added token becomes its id.

        Args:
            text: any string. Control characters vanish; characters that the vocabulary lacks, a lone surrogate for
                example, become `<unk>`.
            special_tokens: True to read `<s>`, `<pad>`, `</s>`, `<unk>` and added tokens in their places as special
                tokens, as transformers does. Not for text from outside, which could end the prompt in its middle.
            normalize_punctuation: True to replace typographic punctuation that the vocabulary lacks by ASCII first.

        Raises:
            PromptError: `text` is not a string, or is one that sacremoses cannot read in reasonable time.
        """
        ids = [EOS_ID]
        for part, token_id in self._parts(
            text, special_tokens=special_tokens, normalize_punctuation=normalize_punctuation
        ):
            ids += self._words.items(part) if token_id is None else [token_id]
        return ids

    def tokenize(self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False) -> list[str]:
        """Returns the symbols of a text, also those that are not in the vocabulary; without `</s>` before them.

        Args and errors are those of `encode`.
        """
        words = WordMap(self._symbols_of_tokens)
        symbols: list[str] = []
        for part, token_id in self._parts(
            text, special_tokens=special_tokens, normalize_punctuation=normalize_punctuation
        ):
            symbols += words.items(part) if token_id is None else [part]
        return symbols

    def tokenize_with_spans(
        self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False
    ) -> list[TokenSpan]:
        """Returns the symbols of a text as `tokenize` does, each with the characters of the text that it comes from.

        Args and errors are those of `encode`.
        """
        spans: list[TokenSpan] = []
        end = 0
        _check_flag("normalize_punctuation", normalize_punctuation)
        for part, token_id in self._parts(text, special_tokens=special_tokens, normalize_punctuation=False):
            start = text.index(part, end)
            end = start + len(part)
            word = spans[-1].word + 1 if spans else 0
            if token_id is not None:
                spans.append(TokenSpan(part, start, end, word))
                continue
            found = self._spans(part, normalize_punctuation=normalize_punctuation)
            spans += [TokenSpan(symbol, start + first, start + last, word + n) for symbol, first, last, n in found]
        return spans

    def _spans(self, text: str, *, normalize_punctuation: bool) -> list[TokenSpan]:
        """Returns the symbols of a text without added tokens, with their characters in it."""
        if not normalize_punctuation:
            return token_spans(text, self._encoder.split)
        # A character of the text becomes several, or none.
        origins = [place for place, character in enumerate(text) for _ in character.translate(self._punctuation)]
        spans = token_spans(text.translate(self._punctuation), self._encoder.split)
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
        _check_flag("skip_special_tokens", skip_special_tokens)
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

    def token_text(self, token_id: int) -> str:
        """Returns the text of a token by itself, with a space at its end if it ends a word.

        `</s>` and the like, and the rows of a soft prompt, have their names for a text.

        Raises:
            PromptError: the id is outside the vocabulary.
        """
        symbol = self.id_to_symbol(token_id)
        if token_id in self._skipped:
            return symbol
        text = unescaped(_text(symbol))
        # A hyphen between two words ends none.
        return "-" if text.rstrip() == JOINT else text

    def symbol_to_id(self, symbol: str) -> int:
        """Returns the id of a symbol; that of `<unk>` for a string that is none. The soft prompt has no symbols.

        Raises:
            PromptError: `symbol` is not a string.
        """
        if not isinstance(symbol, str):
            raise PromptError(f"a symbol must be a string, is {type(symbol).__name__}")
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

    def _parts(self, text: str, *, special_tokens: bool, normalize_punctuation: bool) -> list[tuple[str, int | None]]:
        """Returns the parts of a text, each with its id if it is a token of its own."""
        if not isinstance(text, str):
            raise PromptError(f"a text must be a string, is {type(text).__name__}")
        _check_flag("special_tokens", special_tokens)
        _check_flag("normalize_punctuation", normalize_punctuation)
        parts = (self._added_and_special if special_tokens else self._added).split(text)
        if not normalize_punctuation:
            return parts
        return [
            (part if token_id is not None else part.translate(self._punctuation), token_id) for part, token_id in parts
        ]

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


def _behind(symbols: Sequence[str], added_tokens: Sequence[AddedToken]) -> list[str]:
    """Returns the texts of the added tokens that are no symbols; their ids must follow those of the symbols."""
    names = dict(enumerate(symbols))
    problems = []
    for token in added_tokens:
        expected = names.get(token.token_id)
        if expected is None and token.token_id != len(names):
            problems.append(
                f"the added token {token.content!a} has id {token.token_id:,}, but {len(names):,} has no name"
            )
        elif expected not in (None, token.content):
            problems.append(f"the added token {token.content!a} has id {token.token_id:,}, which is {expected!a}")
        names.setdefault(token.token_id, token.content)
    if problems:
        raise VocabularyError(problems[:3])
    return [names[number] for number in range(len(symbols), len(names))]


def _text(symbol: str) -> str:
    return symbol.replace(" ", "").replace(END_OF_WORD, " ")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is of type {type(value).__name__}: give True or False")
