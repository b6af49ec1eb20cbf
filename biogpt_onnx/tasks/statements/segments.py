"""What a statement is made of: given words, one of several texts, words of the source."""

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.runtime.tokenizer.vocabulary import UNK_ID

_MOST_WORDS = 32
"""Of an entity; the longest that are annotated in the corpora of BioGPT's tasks have fewer than twenty."""

# Besides words of letters and digits. What else there is would be joined to its neighbours when it is written out.
_MAY_BEGIN = frozenset("([")
_MAY_END = frozenset(")]+-%")
_NEVER_INSIDE = frozenset(";")  # statements are divided by it

StateT = TypeVar("StateT")


class Part(Protocol[StateT]):
    """A part of a statement; a state says how much of it is written."""

    def begin(self) -> StateT:
        """Nothing is written."""
        ...

    def next_tokens(self, state: StateT) -> Iterable[int]:
        """The tokens that may come next."""
        ...

    def advance(self, state: StateT, token: int) -> tuple[StateT | None, bool]:
        """Writes one of these: the state in which the part goes on, None if it cannot, and whether it may end here."""
        ...


class Words:
    """Tokens that must stand as they are; the state is how many do.

    Args:
        token_ids: at least one.
    """

    def __init__(self, token_ids: Sequence[int]) -> None:
        self._token_ids = tuple(token_ids)

    def begin(self) -> int:
        """See `Part`."""
        return 0

    @property
    def before_last(self) -> int:
        """The state in which the last token alone is missing."""
        return len(self._token_ids) - 1

    def next_tokens(self, state: int) -> Iterable[int]:
        """See `Part`."""
        return self._token_ids[state : state + 1]

    def advance(self, state: int, token: int) -> tuple[int | None, bool]:  # noqa: ARG002 -- there is but one
        """See `Part`."""
        is_whole = state + 1 == len(self._token_ids)
        return (None if is_whole else state + 1), is_whole


class OneOf:
    """One of several texts; the state is what of it is written.

    Args:
        texts: the tokens of each, at least one each.
    """

    def __init__(self, texts: Iterable[Sequence[int]]) -> None:
        self._texts = {tuple(text) for text in texts}

    def begin(self) -> tuple[int, ...]:
        """See `Part`."""
        return ()

    def next_tokens(self, state: tuple[int, ...]) -> Iterable[int]:
        """See `Part`."""
        size = len(state)
        return (text[size] for text in self._texts if text[:size] == state and len(text) > size)

    def advance(self, state: tuple[int, ...], token: int) -> tuple[tuple[int, ...] | None, bool]:
        """See `Part`."""
        written = (*state, token)
        return (written if any(self.next_tokens(written)) else None), written in self._texts


class Written(NamedTuple):
    """What of an entity is written.

    Attributes:
        places: in the source, behind each occurrence of it.
        num_words: whole words of it.
        is_name: whether it has letters or digits.
    """

    places: frozenset[int]
    num_words: int = 0
    is_name: bool = False


class Entity:
    """Some words of the source, one behind the other, as they stand there.

    Words that the vocabulary lacks a character of are never among them, because nothing would say which they are.
    Before small letters the tokenizer leaves a full stop at its word, so in a text in lower case most sentences end
    with such a word: it may also stand without the full stop, as the last of an entity.

    Args:
        tokenizer: whose tokens they are.
        symbols: of the source, in order, as `BioGptTokenizer.tokenize` gives them.
        token_ids: their ids.
    """

    def __init__(self, tokenizer: BioGptTokenizer, symbols: Sequence[str], token_ids: Sequence[int]) -> None:
        self._token_ids = list(token_ids)
        self._ends: dict[int, _Word] = {}
        self._further: dict[int, tuple[int, ...]] = {}
        first: list[int] = []
        for word in _words(symbols, token_ids):
            self._ends[word.end] = word
            if not word.is_known or word.text in _NEVER_INSIDE:
                continue
            self._further[word.start] = (word.start, *self._without_full_stop(tokenizer, word))
            if word.is_name or word.text in _MAY_BEGIN:
                first += self._further[word.start]
        self._first = frozenset(first)

    def _without_full_stop(self, tokenizer: BioGptTokenizer, word: "_Word") -> Iterator[int]:
        """Where the word stands without its full stop: behind the source; nowhere if it has none."""
        text = word.text.removesuffix(".")
        ids = tokenizer.encode(text)[1:] if word.is_name and text != word.text else []
        if ids and tokenizer.unk_id not in ids:
            start = len(self._token_ids)
            self._token_ids += ids
            # Behind it no word begins, so the entity ends here.
            self._ends[len(self._token_ids)] = word._replace(start=start, end=len(self._token_ids), text=text)
            yield start

    def begin(self) -> Written:
        """See `Part`."""
        return Written(self._first)

    def next_tokens(self, state: Written) -> Iterable[int]:
        """See `Part`."""
        return (self._token_ids[place] for place in state.places)

    def advance(self, state: Written, token: int) -> tuple[Written | None, bool]:
        """See `Part`."""
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
        if state.num_words + 1 < _MOST_WORDS:
            further = frozenset(start for place in places for start in self._further.get(place, ()))
        return (Written(further, state.num_words + 1, is_name) if further else None), may_end


class _Word(NamedTuple):
    start: int
    end: int
    text: str
    is_known: bool

    @property
    def is_name(self) -> bool:
        """Whether it has letters or digits."""
        return any(map(str.isalnum, self.text))


def _words(symbols: Sequence[str], token_ids: Sequence[int]) -> Iterator[_Word]:
    start = 0
    for end, symbol in enumerate(symbols, start=1):
        if symbol.endswith(END_OF_WORD):
            text = "".join(symbols[start:end]).removesuffix(END_OF_WORD)
            yield _Word(start, end, html.unescape(text), is_known=UNK_ID not in token_ids[start:end])
            start = end
