"""Source entities: the segment of a statement that is any run of whole words of the source text."""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.statements.word_origins import word_origins

_MAX_WORDS = 32
"""Of an entity; the longest that are annotated in the corpora of BioGPT's tasks have fewer than twenty."""

# Besides words of letters and digits. Other words would be joined to their neighbours when the text is detokenized.
_MAY_BEGIN = frozenset("([")
_MAY_END = frozenset(")]+-%")
_NEVER_INSIDE = frozenset(";")  # it separates statements

# The token of a hyphen between two letters or digits.
_JOINT = "@-@"


class EntityState(NamedTuple):
    """The generated part of a source entity.

    Attributes:
        places: The indices into the source's tokens behind each occurrence of the part from which it can be completed.
        num_words: The number of whole words generated.
        is_name: True if these have letters or digits.
    """

    places: frozenset[int]
    num_words: int = 0
    is_name: bool = False


class SourceEntity:
    """A segment of consecutive whole words of the source text.

    Words with characters that the vocabulary lacks are never part of an entity, because their tokens would not tell
    which words they are. Before lower-case letters the tokenizer leaves a full stop at its word, so most sentences of
    a lower-cased text end with such a word: as the last word of an entity it may also stand without the full stop. If
    the full stop is one that the prompt puts behind a title, the word stands without it alone. Parts into which the
    tokenizer divides a word of the document are no words of it.

    An entity has at most 32 words and ends with one that may end it. The way from each word to the nearest such word
    is computed once, in time linear in the source; where there is none within reach, the word does not continue an
    entity.

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
        words = list(_words(tokenizer, symbols, token_ids))
        origins = word_origins(["-" if word.text == _JOINT else word.text for word in words], source)
        words = [word._replace(is_continued=index + 1 in origins.continuing) for index, word in enumerate(words)]
        self._ends = {word.end: word for word in words}
        # The forms in which a word may stand in an entity, by the word's start in the source.
        self._forms: dict[int, list[_Word]] = {}
        for index, word in enumerate(words):
            if word.is_known and word.text not in _NEVER_INSIDE and index not in origins.divided:
                whole = () if index in origins.added else (word,)
                self._forms[word.start] = [*whole, *self._without_full_stop(tokenizer, word)]
        named = self._nearest_ends(words, is_name=True)
        self._ways = {True: named, False: self._nearest_ends(words, is_name=False, named=named)}
        may_begin = [
            word.start
            for index, word in enumerate(words)
            if index not in origins.continuing and (word.is_name or word.text in _MAY_BEGIN)
        ]
        self._first = EntityState(self._continuing(may_begin, 0, is_name=False))

    def _without_full_stop(self, tokenizer: BioGptTokenizer, word: "_Word") -> Iterator["_Word"]:
        """Appends a word without its full stop to the source's tokens and yields it; nothing if it has none."""
        text = word.text.removesuffix(".")
        ids = tokenizer.encode(text)[1:] if word.is_name and text != word.text else []
        if ids and tokenizer.unk_id not in ids:
            start = len(self._token_ids)
            self._token_ids += ids
            # No word begins behind it, so the entity ends here.
            form = word._replace(start=start, end=len(self._token_ids), text=text, is_continued=False)
            self._ends[form.end] = form
            yield form

    def _nearest_ends(
        self, words: Sequence["_Word"], *, is_name: bool, named: Mapping[int, "_Way"] | None = None
    ) -> dict[int, "_Way"]:
        """Returns the shortest way from each place within a word to an end of the entity, by the place.

        Args:
            words: The words of the source.
            is_name: True for entities that have letters or digits before the word.
            named: The ways of those; None if it is these that are asked for.
        """
        ways: dict[int, _Way] = {}
        for word in reversed(words):
            further = named if named is not None and word.is_name else ways
            behind = [further[form.start] for form in self._forms.get(word.end, ()) if form.start in further]
            for form in self._forms.get(word.start, ()):
                if not form.may_end(is_name=is_name) and not behind:
                    continue
                rest = _Way(0, 0) if form.may_end(is_name=is_name) else min(behind)
                for place in range(form.start, form.end):
                    ways[place] = _Way(form.end - place + rest.num_tokens, 1 + rest.num_words)
        return ways

    def _continuing(self, starts: Iterable[int], num_words: int, *, is_name: bool) -> frozenset[int]:
        """Returns the starts of the forms of words, of those from which an entity can be completed.

        Args:
            starts: The starts of words in the source.
            num_words: The number of words before them in the entity.
            is_name: True if these have letters or digits.
        """
        ways = self._ways[is_name]
        forms = (form.start for start in starts for form in self._forms.get(start, ()))
        return frozenset(start for start in forms if start in ways and num_words + ways[start].num_words <= _MAX_WORDS)

    def begin(self) -> EntityState:
        """Returns the state before any word; see `Segment.begin`."""
        return self._first

    def next_tokens(self, state: EntityState) -> Mapping[int, int]:
        """Returns the tokens that follow an occurrence in the source; see `Segment.next_tokens`."""
        return self._first_tokens if state is self._first else self._tokens(state)

    @cached_property
    def _first_tokens(self) -> Mapping[int, int]:
        # Every place of the source may be one, and each statement asks for them anew.
        return self._tokens(self._first)

    def _tokens(self, state: EntityState) -> Mapping[int, int]:
        ways, fewest = self._ways[state.is_name], dict[int, int]()
        for place in state.places:
            token, num_tokens = self._token_ids[place], ways[place].num_tokens
            fewest[token] = min(num_tokens, fewest.get(token, num_tokens))
        return fewest

    def advance(self, state: EntityState, token: int) -> tuple[EntityState | None, bool]:
        """Adds a token; see `Segment.advance`."""
        places = frozenset(place + 1 for place in state.places if self._token_ids[place] == token)
        # The same tokens end a word everywhere, or nowhere.
        words = [self._ends[place] for place in places if place in self._ends]
        if not words:
            return state._replace(places=places), False
        num_words, is_name = state.num_words + 1, state.is_name or words[0].is_name
        further = self._continuing(places, num_words, is_name=is_name)
        continued = EntityState(further, num_words, is_name) if further else None
        return continued, any(word.may_end(is_name=state.is_name) for word in words)


class _Way(NamedTuple):
    """The shortest way from a place to an end of an entity: its tokens, and its words with that of the place."""

    num_tokens: int
    num_words: int


class _Word(NamedTuple):
    start: int
    end: int
    text: str
    is_known: bool
    is_continued: bool = False

    @property
    def is_name(self) -> bool:
        """True if the word has letters or digits."""
        return any(map(str.isalnum, self.text))

    def may_end(self, *, is_name: bool) -> bool:
        """Returns True if an entity may end with the word; `is_name`: the words before it have letters or digits."""
        return not self.is_continued and (self.is_name or (is_name and self.text in _MAY_END))


def _words(tokenizer: BioGptTokenizer, symbols: Sequence[str], token_ids: Sequence[int]) -> Iterator[_Word]:
    unknown = {tokenizer.unk_id, *(token.token_id for token in tokenizer.added_tokens if token.is_special)}
    added = {token.token_id for token in tokenizer.added_tokens}
    start = 0
    for end, symbol in enumerate(symbols, start=1):
        if symbol.endswith(END_OF_WORD) or token_ids[end - 1] in added:
            text = "".join(symbols[start:end]).removesuffix(END_OF_WORD)
            yield _Word(start, end, html.unescape(text), is_known=unknown.isdisjoint(token_ids[start:end]))
            start = end
