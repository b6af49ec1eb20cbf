"""Mentions: the spans of a document that hold the words that a model generated or that an annotation names."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from biogpt_onnx.runtime.tokenizer.punctuation import punctuation_table
from biogpt_onnx.tasks.document import Span
from biogpt_onnx.tasks.prompts.source import Source

# A typographic mark and the ASCII that stands for it are the same to a reader, and so are the two forms of sigma.
_FOLDED = punctuation_table(()) | str.maketrans({"\N{GREEK SMALL LETTER FINAL SIGMA}": "\N{GREEK SMALL LETTER SIGMA}"})

# The detokenizer puts no spaces between characters from here on, which are Chinese, Japanese and Korean.
_FIRST_CJK = "\u1100"


class MentionFinder:
    """Finds words in a document, ignoring case, typographic marks, and spaces beside punctuation.

    Detokenization adds or removes the latter. A space between two words counts: "a trial" is no "atrial". Between a
    letter and a digit it does not, unless the document has the words in both forms, as "FK 506" and "FK506".

    Args:
        source: The source text that the model read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._forms = [_compared(source.text, is_loose=is_loose) for is_loose in (False, True)]
        self._held: dict[int, str] = {}
        for character, origin in zip(source.text, source.origins, strict=True):
            if origin is not None:
                self._held[origin] = self._held.get(origin, "") + character

    def find(self, words: str) -> Span | None:
        """Returns the first span of `Document.full_text` that holds these words as whole words; None if none does."""
        return next(self._spans(words), None)

    def closest(self, name: str, full_text: str, near: int = 0) -> Span | None:
        """Returns the span whose spelling is closest to a name's: with the same capitals and marks, if there is one.

        A capital with which the document begins a sentence makes no difference.

        Args:
            name: The name, as a person or a program wrote it.
            full_text: The document's full text.
            near: The index in it to which the span is to be close if several are spelled alike.
        """

        def difference(span: Span) -> tuple[bool, bool, int]:
            there = " ".join(full_text[slice(*span)].split())
            is_marked_otherwise = there.translate(_FOLDED) not in {form.translate(_FOLDED) for form in wanted}
            return there not in wanted, is_marked_otherwise, abs(span[0] - near)

        plain = " ".join(name.split())
        wanted = {plain, plain[:1].upper() + plain[1:]}
        return min(self._spans(name), key=difference, default=None)

    def text_at(self, spans: Sequence[Span]) -> str | None:
        """Returns the source's form of some spans, with a space between two; None if the source lacks a part of it."""
        if not all(place in self._held for span in spans for place in range(*span)):
            return None
        return " ".join("".join(self._held[place] for place in range(*span)) for span in spans)

    def _spans(self, words: str) -> Iterator[Span]:
        """Yields the spans that hold these words in order; those with the same spaces, or if there is none, others."""
        for is_loose, form in enumerate(self._forms):
            wanted = _compared(words, is_loose=bool(is_loose)).text.strip()
            found = list(self._occurrences(form, wanted)) if wanted else []
            yield from found
            if found:
                return

    def _occurrences(self, form: "_Compared", wanted: str) -> Iterator[Span]:
        start = form.text.find(wanted)
        while start >= 0:
            span = self._span(form, start, start + len(wanted))
            if span is not None:
                yield span
            start = form.text.find(wanted, start + 1)

    def _span(self, form: "_Compared", start: int, end: int) -> Span | None:
        """Returns the span of these compared characters; None if they cut a word or come from the prompt's form."""
        if form.is_within_word(start) or form.is_within_word(end):
            return None
        origins = [self._source.origins[place] for place in form.places[max(0, start - 1) : end + 1]]
        before = origins.pop(0) if start else None
        after = origins.pop() if end < len(form.places) else None
        # The full stop that a prompt puts behind a title is no part of a name.
        while origins and origins[-1] is None and form.text[end - 1] == ".":
            origins.pop()
            end -= 1
        if not origins or origins[0] is None or origins[-1] is None:
            return None
        # A character that became several is taken whole.
        if origins[0] == before or origins[-1] == after:
            return None
        return origins[0], origins[-1] + 1


class _Compared(NamedTuple):
    """A text in the form in which it is compared.

    Attributes:
        text: The text in lower case and ASCII punctuation, without most of its spaces.
        places: The index of each character in the original.
        follow_space: For each character, True if spaces stand before it in the original.
    """

    text: str
    places: list[int]
    follow_space: list[bool]

    def is_within_word(self, place: int) -> bool:
        """Returns True if letters or digits of one word stand on both sides of a place."""
        if not 0 < place < len(self.text) or self.follow_space[place]:
            return False
        return self.text[place - 1].isalnum() and self.text[place].isalnum()


def compared(words: str, *, is_loose: bool = False) -> str:
    """Returns words in the form in which they are compared.

    Args:
        words: The words.
        is_loose: A space between a letter and a digit does not count.
    """
    return _compared(words, is_loose=is_loose).text.strip()


def is_part(part: str, whole: str) -> bool:
    """Returns True if words are others, or whole words of them; compared as `MentionFinder` does.

    Args:
        part: The words that may be a part.
        whole: The words that may hold them.
    """
    return MentionFinder(Source.of([(whole, 0)])).find(part) is not None


def folded(text: str) -> Iterator[tuple[str, int]]:
    """Yields the characters of a text in lower case and ASCII punctuation, each with its index in the text.

    All white space becomes spaces. Control characters are left out: the tokenizer drops them, so the model has not seen
    them.
    """
    for place, character in enumerate(text):
        for small in character.lower().translate(_FOLDED):
            if small.isspace():
                yield " ", place
            elif small >= " ":
                yield small, place


def _compared(text: str, *, is_loose: bool) -> _Compared:
    characters: list[str] = []
    places: list[int] = []
    follow_space: list[bool] = []
    space: int | None = None
    for character, place in folded(text):
        if character == " ":
            space = place if space is None else space
            continue
        if space is not None and characters and _counts(characters[-1], character, is_loose=is_loose):
            characters.append(" ")
            places.append(space)
            follow_space.append(False)
        characters.append(character)
        places.append(place)
        follow_space.append(space is not None)
        space = None
    return _Compared("".join(characters), places, follow_space)


def _counts(before: str, after: str, *, is_loose: bool) -> bool:
    """Returns True if a space between two characters tells words apart."""
    if not (before.isalnum() and after.isalnum()) or max(before, after) >= _FIRST_CJK:
        return False
    return not is_loose or before.isdigit() == after.isdigit()
