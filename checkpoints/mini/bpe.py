"""Byte-pair encoding as BioGPT uses it: learn the merges, write them, apply them.

The algorithm is that of Sennrich et al. 2016 (arXiv:1508.07909): the most frequent pair of
neighbouring symbols is joined until enough symbols exist. A word's last character carries
``</w>``, so that a symbol tells whether a word ends after it.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from sacremoses import MosesTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

END_OF_WORD = "</w>"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
PAD, EOS, UNK = 1, 2, 3

_ASCII = "".join(map(chr, range(33, 127)))
_GREEK = "αβγδεζηθικλμνξοπρςστυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"
# Signs that biomedical text uses; typographic quotes and dashes are left to <unk>, as in BioGPT.
_SIGNS = "µ±×·°≤≥≈®™²³→"  # noqa: RUF001 - the multiplication sign is meant
ALPHABET = tuple(sorted(set(_ASCII + _GREEK + _SIGNS)))

Pair = tuple[str, str]


@dataclass(frozen=True)
class Merge:
    """One learned merge and how often its pair occurred when it was learned."""

    pair: Pair
    count: int


@dataclass
class _Corpus:
    """The distinct words as symbols, with the pair statistics kept up to date."""

    words: list[list[str]]
    counts: list[int]
    pairs: Counter[Pair] = field(default_factory=Counter)
    where: defaultdict[Pair, set[int]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for index in range(len(self.words)):
            self._count(index, sign=1)

    def _count(self, index: int, sign: int) -> set[Pair]:
        """Add (or, with sign -1, take away) the pairs of one word; return those pairs."""
        symbols = self.words[index]
        touched = set(pairwise(symbols))
        for pair in pairwise(symbols):
            self.pairs[pair] += sign * self.counts[index]
        for pair in touched if sign > 0 else ():
            self.where[pair].add(index)
        return touched

    def join(self, pair: Pair) -> set[Pair]:
        """Join the pair wherever it stands; return every pair whose count may have changed."""
        touched: set[Pair] = set()
        for index in sorted(self.where.pop(pair, ())):
            touched |= self._count(index, sign=-1)
            self.words[index] = join_pair(self.words[index], pair)
            touched |= self._count(index, sign=1)
        return touched


def join_pair(symbols: list[str], pair: Pair) -> list[str]:
    """Return the symbols with each occurrence of the pair joined, from left to right."""
    joined: list[str] = []
    index = 0
    while index < len(symbols):
        if tuple(symbols[index : index + 2]) == pair:
            joined.append(pair[0] + pair[1])
            index += 2
        else:
            joined.append(symbols[index])
            index += 1
    return joined


def split_word(word: str) -> list[str]:
    """Return the characters of a word, the last one marked as its end."""
    return [*word[:-1], word[-1] + END_OF_WORD]


def learn_merges(word_counts: Mapping[str, int], num_symbols: int) -> list[Merge]:
    """Learn merges until ``num_symbols`` new symbols exist.

    Of two pairs equally frequent the lexicographically smaller is joined first, so the same
    text always gives the same merges.
    """
    ordered = sorted(word_counts)
    corpus = _Corpus([split_word(word) for word in ordered], [word_counts[w] for w in ordered])
    queue = [(-count, pair) for pair, count in corpus.pairs.items()]
    heapq.heapify(queue)
    merges: list[Merge] = []
    symbols: set[str] = set()
    while queue and len(symbols) < num_symbols:
        negative, pair = heapq.heappop(queue)
        if corpus.pairs[pair] != -negative or not negative:
            continue  # an outdated entry: the true count was pushed when it changed
        merges.append(Merge(pair, -negative))
        symbols.add(pair[0] + pair[1])
        for changed in corpus.join(pair):
            if corpus.pairs[changed] > 0:
                heapq.heappush(queue, (-corpus.pairs[changed], changed))
    return merges


class Tokenizer:
    """Text to ids, equal to transformers' ``BioGptTokenizer`` on text without special tokens."""

    def __init__(self, vocabulary: Mapping[str, int], ranks: Mapping[Pair, int]) -> None:
        self.vocabulary = dict(vocabulary)
        self._ranks = dict(ranks)
        self._moses = MosesTokenizer(lang="en")
        self._known: dict[str, list[int]] = {}

    @classmethod
    def learn(cls, texts: Iterable[str], size: int, folder: Path) -> Tokenizer:
        """Learn a vocabulary of ``size`` symbols, write it to ``folder`` and return it."""
        moses = MosesTokenizer(lang="en")
        counts = Counter(word for text in texts for word in split_text(moses, text))
        symbols = [*SPECIALS, *ALPHABET, *(char + END_OF_WORD for char in ALPHABET)]
        merges = learn_merges(_within_alphabet(counts), size - len(symbols))
        symbols += list(dict.fromkeys(a + b for a, b in (merge.pair for merge in merges)))
        lines = [f"{merge.pair[0]} {merge.pair[1]} {merge.count}\n" for merge in merges]
        (folder / "merges.txt").write_text("".join(lines), encoding="utf-8")
        vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
        text = json.dumps(vocabulary, ensure_ascii=False, indent=0)
        (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read ``vocab.json`` and ``merges.txt``."""
        vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")[:-1]
        pairs = [(line.split(" ")[0], line.split(" ")[1]) for line in lines]
        return cls(vocabulary, {pair: rank for rank, pair in enumerate(pairs)})

    def encode(self, text: str) -> list[int]:
        """Return the ids of the text, without the ``</s>`` that starts a sequence."""
        return [i for word in split_text(self._moses, text) for i in self._encode_word(word)]

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._known:
            self._known[word] = [self.vocabulary.get(s, UNK) for s in self._merge(word)]
        return self._known[word]

    def _merge(self, word: str) -> list[str]:
        symbols = split_word(word)
        while len(symbols) > 1:
            pairs = pairwise(symbols)
            rank, pair = min((self._ranks.get(p, len(self._ranks)), p) for p in pairs)
            if rank == len(self._ranks):
                break
            symbols = join_pair(symbols, pair)
        return symbols


def split_text(moses: MosesTokenizer, text: str) -> list[str]:
    """Return the words of the text, as transformers' ``BioGptTokenizer`` splits it."""
    words: list[str] = moses.tokenize(text, aggressive_dash_splits=True, return_str=False, escape=True)
    return [word for word in words if word]


def _within_alphabet(counts: Mapping[str, int]) -> dict[str, int]:
    """Leave out words with rare characters, so that every merge joins two known symbols."""
    return {word: count for word, count in counts.items() if set(word) <= set(ALPHABET)}
