"""Co-occurrence baseline of BC5CDR: every chemical induces every disease that is named beside it."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.lexicon import UNKNOWN, Lexicon
from biogpt_onnx.tasks.document import Document

_WORD = re.compile(r"\w+")
# After a mark that ends sentences, before anything but a small letter. Abbreviations split some sentences wrongly.
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+(?=[^a-z\s])")


def pairs_in_sentences(documents: Sequence[Document], lexicon: Lexicon) -> tuple[frozenset[ConceptPair], ...]:
    """Pairs, in each document, the chemicals and diseases that one sentence names; a title is a sentence.

    Args:
        documents: the documents.
        lexicon: the names that are looked for.

    Returns:
        The pairs of each document.
    """
    mentions = _Mentions(lexicon)
    return tuple(
        frozenset(itertools.chain.from_iterable(map(mentions.pairs, sentences(document)))) for document in documents
    )


def pairs_in_documents(documents: Sequence[Document], lexicon: Lexicon) -> tuple[frozenset[ConceptPair], ...]:
    """Pairs, in each document, the chemicals and diseases that it names anywhere.

    Args:
        documents: the documents.
        lexicon: the names that are looked for.

    Returns:
        The pairs of each document.
    """
    mentions = _Mentions(lexicon)
    return tuple(frozenset(mentions.pairs(document.full_text)) for document in documents)


def sentences(document: Document) -> tuple[str, ...]:
    """Splits a document into its title and the sentences of its text."""
    return tuple(part for part in (document.title, *_SENTENCE_BREAK.split(document.text)) if part.strip())


class _Mentions:
    """Finder of the concepts that a text names."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._chemicals = _Names(lexicon.chemicals)
        self._diseases = _Names(lexicon.diseases)

    def pairs(self, text: str) -> Iterator[ConceptPair]:
        lowered = text.lower()
        return itertools.product(self._chemicals.concepts(lowered), self._diseases.concepts(lowered))


class _Names:
    """Finder of names in a text, as whole words, longer ones first."""

    def __init__(self, concepts: Mapping[str, str]) -> None:
        self._concepts = concepts
        # By their first word, with the number of characters before it: "(+)-" in "(+)-pentazocine".
        self._by_word: dict[str, list[tuple[str, int]]] = {}
        for name in sorted(concepts, key=len, reverse=True):
            word = _WORD.search(name)
            if word:
                self._by_word.setdefault(word.group(), []).append((name, word.start()))

    def concepts(self, lowered: str) -> frozenset[str]:
        """Returns the concepts that a text in lower case names; a name inside a longer one does not count."""
        return frozenset(_single(self._concepts[name] for name in self._names(lowered))) - {UNKNOWN}

    def _names(self, lowered: str) -> Iterator[str]:
        end = 0
        for word in _WORD.finditer(lowered):
            for name, before in self._by_word.get(word.group(), ()):
                start = word.start() - before
                stop = start + len(name)
                if start >= end and lowered.startswith(name, start) and not lowered[stop : stop + 1].isalnum():
                    yield name
                    end = stop
                    break


def _single(concepts: Iterable[str]) -> Iterator[str]:
    """Splits the ids of names that stand for several concepts at once."""
    return itertools.chain.from_iterable(each.split("|") for each in concepts)
