"""Segments of a statement, as the constraint on decoding reads them: fixed tokens, alternatives, source entities."""

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.runtime.tokenizer.vocabulary import UNK_ID
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.word_origins import added_words

_MAX_WORDS = 32
"""Of an entity; the longest that are annotated in the corpora of BioGPT's tasks have fewer than twenty."""

# Besides words of letters and digits. Other words would be joined to their neighbours when the text is detokenized.
_MAY_BEGIN = frozenset("([")
_MAY_END = frozenset(")]+-%")
_NEVER_INSIDE = frozenset(";")  # it separates statements

# The token of a hyphen between two letters or digits.
_JOINT = "@-@"

StateT = TypeVar("StateT")


class Segment(Protocol[StateT]):
    """A segment of a statement: an automaton over tokens, whose state says how much of the segment is generated."""

    def begin(self) -> StateT:
        """Returns the state in which no token of the segment is generated."""
        ...

    def next_tokens(self, state: StateT) -> Iterable[int]:
        """Returns the ids of the tokens that may follow in a state."""
        ...

    def advance(self, state: StateT, token: int) -> tuple[StateT | None, bool]:
        """Adds a token.

        Args:
            state: The state before the token.
            token: One of the state's `next_tokens`.

        Returns:
            The state in which the segment continues, None if it cannot; and True if the segment may end here.
        """
        ...


class FixedTokens:
    """A segment of given tokens; its state is the number of tokens generated.

    Args:
        token_ids: The tokens, at least one.
    """

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._token_ids = tuple(token_ids)

    def begin(self) -> int:
        """Returns 0; see `Segment.begin`."""
        return 0

    @property
    def before_last(self) -> int:
        """The state in which only the last token is missing."""
        return len(self._token_ids) - 1

    def next_tokens(self, state: int) -> Iterable[int]:
        """Returns the one token that may follow; see `Segment.next_tokens`."""
        return self._token_ids[state : state + 1]

    def advance(self, state: int, token: int) -> tuple[int | None, bool]:  # noqa: ARG002 -- there is but one
        """Adds the token; see `Segment.advance`."""
        is_whole = state + 1 == len(self._token_ids)
        return (None if is_whole else state + 1), is_whole


class OneOf:
    """A segment that is one of several token sequences; its state is the tokens generated.

    Args:
        sequences: The token ids of each alternative, at least one each.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._sequences = {tuple(sequence) for sequence in sequences}

    def begin(self) -> tuple[int, ...]:
        """Returns the empty sequence; see `Segment.begin`."""
        return ()

    def next_tokens(self, state: tuple[int, ...]) -> Iterable[int]:
        """Returns the tokens that continue the state to an alternative; see `Segment.next_tokens`."""
        size = len(state)
        return (sequence[size] for sequence in self._sequences if sequence[:size] == state and len(sequence) > size)

    def advance(self, state: tuple[int, ...], token: int) -> tuple[tuple[int, ...] | None, bool]:
        """Adds a token; see `Segment.advance`."""
        generated = (*state, token)
        return (generated if any(self.next_tokens(generated)) else None), generated in self._sequences


class EntityState(NamedTuple):
    """The generated part of a source entity.

    Attributes:
        places: The indices into the source's tokens behind each occurrence of the part.
        num_words: The number of whole words generated.
        is_name: True if the part has letters or digits.
    """

    places: frozenset[int]
    num_words: int = 0
    is_name: bool = False


class SourceEntity:
    """A segment of consecutive whole words of the source text.

    Words with characters that the vocabulary lacks are never part of an entity, because their tokens would not tell
    which words they are. Before lower-case letters the tokenizer leaves a full stop at its word, so most sentences of
    a lower-cased text end with such a word: as the last word of an entity it may also stand without the full stop. If
    the full stop is one that the prompt puts behind a title, the word stands without it alone.

    Args:
        tokenizer: The tokenizer of the source.
        symbols: The source's tokens as strings, in order, as `BioGptTokenizer.tokenize` gives them.
        token_ids: The ids of these tokens.
        source: The source text.
    """

    def __init__(
        self, tokenizer: BioGptTokenizer, symbols: Sequence[str], token_ids: Sequence[int], source: Source
    ) -> None:
        self._token_ids = list(token_ids)
        self._ends: dict[int, _Word] = {}
        self._further: dict[int, tuple[int, ...]] = {}
        first: list[int] = []
        words = list(_words(symbols, token_ids))
        added = added_words(["-" if word.text == _JOINT else word.text for word in words], source)
        for index, word in enumerate(words):
            self._ends[word.end] = word
            if not word.is_known or word.text in _NEVER_INSIDE:
                continue
            whole = () if index in added else (word.start,)
            self._further[word.start] = (*whole, *self._without_full_stop(tokenizer, word))
            if word.is_name or word.text in _MAY_BEGIN:
                first += self._further[word.start]
        self._first = frozenset(first)

    def _without_full_stop(self, tokenizer: BioGptTokenizer, word: "_Word") -> Iterator[int]:
        """Appends a word without its full stop to the source's tokens and yields its start; nothing if it has none."""
        text = word.text.removesuffix(".")
        ids = tokenizer.encode(text)[1:] if word.is_name and text != word.text else []
        if ids and tokenizer.unk_id not in ids:
            start = len(self._token_ids)
            self._token_ids += ids
            # No word begins behind it, so the entity ends here.
            self._ends[len(self._token_ids)] = word._replace(start=start, end=len(self._token_ids), text=text)
            yield start

    def begin(self) -> EntityState:
        """Returns the state before any word; see `Segment.begin`."""
        return EntityState(self._first)

    def next_tokens(self, state: EntityState) -> Iterable[int]:
        """Returns the tokens that follow an occurrence in the source; see `Segment.next_tokens`."""
        return (self._token_ids[place] for place in state.places)

    def advance(self, state: EntityState, token: int) -> tuple[EntityState | None, bool]:
        """Adds a token; see `Segment.advance`."""
        places = frozenset(place + 1 for place in state.places if self._token_ids[place] == token)
        # The same tokens end a word everywhere, or nowhere.
        some_place = next(iter(places))
        ends_word = some_place in self._ends
        if not ends_word:
            return state._replace(places=places), False
        word = self._ends[some_place]
        is_name = state.is_name or word.is_name
        may_end = is_name and (word.is_name or word.text in _MAY_END)
        further: frozenset[int] = frozenset()
        if state.num_words + 1 < _MAX_WORDS:
            further = frozenset(start for place in places for start in self._further.get(place, ()))
        return (EntityState(further, state.num_words + 1, is_name) if further else None), may_end


class _Word(NamedTuple):
    start: int
    end: int
    text: str
    is_known: bool

    @property
    def is_name(self) -> bool:
        """True if the word has letters or digits."""
        return any(map(str.isalnum, self.text))


def _words(symbols: Sequence[str], token_ids: Sequence[int]) -> Iterator[_Word]:
    start = 0
    for end, symbol in enumerate(symbols, start=1):
        if symbol.endswith(END_OF_WORD):
            text = "".join(symbols[start:end]).removesuffix(END_OF_WORD)
            yield _Word(start, end, html.unescape(text), is_known=UNK_ID not in token_ids[start:end])
            start = end
