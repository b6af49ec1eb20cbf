"""The two files that define a BioGPT vocabulary: `vocab.json` and `merges.txt`."""

import json
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
BOS_ID, PAD_ID, EOS_ID, UNK_ID = range(4)

# The largest real file is under 2 MB; a file far beyond is no vocabulary and is not read into memory.
_MAX_FILE_BYTES = 64 * 1024 * 1024


class VocabularyError(ValueError):
    """Error for a vocabulary file that cannot be used; `problems` lists every reason found."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def read_symbols(path: Path) -> tuple[str, ...]:
    """Reads `vocab.json`: the symbol of each id, in the order of the ids.

    Raises:
        VocabularyError: the file is not a JSON object of symbols to ids, ids are not 0 to n-1,
            or the four special tokens are not in their places.
    """
    text = read_text(path)
    try:
        # As pairs, because a dictionary of an object with a key twice would lose an id without an error.
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise VocabularyError([f"{path.name} is not JSON ({error})"]) from error
    if not _is_symbol_table(pairs):
        raise VocabularyError([f"{path.name} is not a JSON object of symbols to ids"])
    problems = _id_problems(path.name, pairs)
    if problems:
        raise VocabularyError(problems)
    return tuple([symbol for symbol, _ in sorted(pairs, key=itemgetter(1))])


def read_merges(path: Path) -> tuple[tuple[str, str], ...]:
    """Reads `merges.txt` (the same as fairseq's `bpecodes`): pairs of symbols, the first learned first.

    A line is `left right count`; the count may be absent.

    Raises:
        VocabularyError: a line holds fewer than two symbols.
    """
    # Only "\n" ends a line: symbols may hold other characters that str.splitlines splits at.
    lines = read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")
    merges = []
    short = []
    for number, line in enumerate(lines, start=1):
        # Only a space separates: str.split() would split at a no-break space inside a symbol.
        left, _, rest = line.partition(" ")
        right = rest.partition(" ")[0]
        if left and right:
            merges.append((left, right))
        else:
            short.append(number)
    if short:
        raise VocabularyError([f"{path.name}, line {short[0]}: expected `left right count` ({len(short)} such lines)"])
    return tuple(merges)


def read_text(path: Path) -> str:
    """Reads a file of a vocabulary, which must be UTF-8.

    Raises:
        VocabularyError: the file cannot be read, is not UTF-8, or is larger than any vocabulary.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_FILE_BYTES:
            raise VocabularyError([f"{path.name} has {size:,} bytes, which no vocabulary has"])
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise VocabularyError([f"{path.name} cannot be read ({error.strerror})"]) from error
    except UnicodeDecodeError as error:
        raise VocabularyError([f"{path.name} is not UTF-8 (byte {error.start:,})"]) from error


def _is_symbol_table(pairs: object) -> bool:
    return isinstance(pairs, list) and all(
        isinstance(pair, tuple) and isinstance(pair[0], str) and type(pair[1]) is int for pair in pairs
    )


def _id_problems(name: str, pairs: list[tuple[str, int]]) -> list[str]:
    problems = []
    ids = dict(pairs)
    if len(ids) < len(pairs):
        counts = Counter(symbol for symbol, _ in pairs)
        problems.append(f"{name} holds {counts.most_common(1)[0][0]!r} more than once")
    if sorted(map(itemgetter(1), pairs)) != list(range(len(pairs))):
        problems.append(f"{name}: the ids of {len(pairs):,} symbols are not 0 to {len(pairs) - 1:,}")
    for number, symbol in enumerate(SPECIAL_TOKENS):
        if ids.get(symbol) != number:
            problems.append(f"{name}: {symbol} must be id {number}, is {ids.get(symbol, 'missing')}")
    return problems
