"""Reader of a checkpoint's vocabulary, in Hugging Face's files or in fairseq's, and of the soft-prompt size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from biogpt_onnx.export.checkpoint.files.source_file import check_is_data
from biogpt_onnx.export.checkpoint.tokenizer_files import NONE, AddedTokens, read_tokenizer_files
from biogpt_onnx.export.checkpoint.validate import Problems
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS, VocabularyError, read_merges, read_symbols

MAX_SOFT_PROMPT_SIZE = 256
"""Most rows beyond the vocabulary that are taken for a soft prompt; the published fine-tunes have 1 or 9."""

_PUBLISHED_SIZES = {42_384: "BioGPT", 57_717: "BioGPT-Large"}
_OVERWRITE_FLAG = " #fairseq:overwrite"
# 13 of BioGPT's 40,000 merges yield a string without an id, 16 of Large's 50,000; with the other's merges, thousands.
_MOST_STRAY_MERGES = 0.05


@dataclass(frozen=True)
class Vocabulary:
    """Vocabulary of a checkpoint.

    Attributes:
        symbols: symbols in the order of the ids, without the soft prompt's.
        merges: content of `merges.txt`, byte for byte.
        num_learned: number of soft-prompt symbols (`learned1`, ...) that the file lists after them.
        added: tokens beside the symbols that the tokenizer's files name.
    """

    symbols: tuple[str, ...]
    merges: bytes
    num_learned: int = 0
    added: AddedTokens = NONE

    @property
    def num_named(self) -> int:
        """Number of rows of the embedding that have a name."""
        return max([len(self.symbols) - 1, *(token.token_id for token in self.added.tokens)]) + 1


def find_vocabulary(*folders: Path, problems: Problems | None = None) -> Vocabulary:
    """Reads the vocabulary of the first folder that has one.

    Args:
        folders: folders to look in.
        problems: gets what is not supported of the tokenizer's files, and notes on what is not read.

    Raises:
        CheckpointError: no folder holds `vocab.json` and `merges.txt`, or `dict.txt` and `bpecodes`; or the merges are
            those of another vocabulary.
        VocabularyError: a file is malformed.
    """
    for folder in folders:
        if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            words = _read(folder / "vocab.json", folder / "merges.txt")
            return _with_added(words, folder, Problems() if problems is None else problems)
        if (folder / "dict.txt").exists() and (folder / "bpecodes").exists():
            return _read(folder / "dict.txt", folder / "bpecodes")
    raise CheckpointError(
        "no vocabulary: put vocab.json and merges.txt (Hugging Face), or dict.txt and bpecodes (fairseq), beside the "
        "weights, or name the folder that holds them"
    )


def soft_prompt_size(num_rows: int, vocabulary: Vocabulary) -> int:
    """Returns the number of soft-prompt rows, which are the embedding's rows beyond the vocabulary.

    Args:
        num_rows: rows of the embedding.
        vocabulary: vocabulary without the soft prompt's symbols.

    Raises:
        CheckpointError: the vocabulary belongs to an embedding of another size.
    """
    num_symbols = vocabulary.num_named
    size = num_rows - num_symbols
    if not 0 <= size <= MAX_SOFT_PROMPT_SIZE:
        raise CheckpointError(
            f"the vocabulary has {num_symbols:,} symbols, the embedding {num_rows:,} rows{_hint(num_rows, num_symbols)}"
        )
    if vocabulary.num_learned not in (0, size):
        raise CheckpointError(
            f"the vocabulary ends in learned1 to learned{vocabulary.num_learned}, but the embedding has {size} rows "
            f"beyond the other {num_symbols:,} symbols"
        )
    return size


def _with_added(words: Vocabulary, folder: Path, problems: Problems) -> Vocabulary:
    learned = tuple(f"learned{number}" for number in range(1, words.num_learned + 1))
    added = read_tokenizer_files(folder, (*words.symbols, *learned), problems)
    if not added.tokens:
        return words
    num_learned = _count_learned([token.content for token in added.tokens])
    if num_learned and not words.num_learned:
        # Names that a soft prompt's rows were given so that the tokenizer has as many tokens as the embedding.
        others = AddedTokens(added.tokens[: len(added.tokens) - num_learned], added.names)
        words, added = replace(words, num_learned=num_learned), others if others.tokens else NONE
    elif words.num_learned and added.tokens[-1].token_id >= len(words.symbols):
        raise CheckpointError("tokens were added behind a soft prompt, which is not supported")
    _check_ids(words.symbols, added)
    return replace(words, added=added)


def _check_ids(symbols: Sequence[str], added: AddedTokens) -> None:
    # The tokenizer itself refuses ids that do not follow the symbols', or that are another symbol's.
    BioGptTokenizer(symbols, (), added_tokens=added.tokens)


def _hint(num_rows: int, num_symbols: int) -> str:
    model = next(
        (name for size, name in _PUBLISHED_SIZES.items() if 0 <= num_rows - size <= MAX_SOFT_PROMPT_SIZE), None
    )
    words = _PUBLISHED_SIZES.get(num_symbols)
    if not model or not words:
        return ": it is not this checkpoint's"
    kind = "base" if words == "BioGPT" else "Large"
    return f": this is {model} with the {kind} dictionary, so take dict.txt and bpecodes of {model}"


def _read(symbols_file: Path, merges_file: Path) -> Vocabulary:
    check_is_data(symbols_file)
    check_is_data(merges_file)
    is_fairseq = symbols_file.name == "dict.txt"
    symbols = _read_dictionary(symbols_file) if is_fairseq else read_symbols(symbols_file)
    num_learned = _count_learned(symbols)
    symbols = symbols[: len(symbols) - num_learned]
    _check_merges(symbols, merges_file, symbols_file.name)
    return Vocabulary(symbols, merges_file.read_bytes(), num_learned)


def _check_merges(symbols: Sequence[str], path: Path, symbols_name: str) -> None:
    merges = read_merges(path)
    known = set(symbols)
    num_stray = sum(left + right not in known for left, right in merges)
    if num_stray > _MOST_STRAY_MERGES * len(merges):
        raise CheckpointError(
            f"{path.name} does not belong to {symbols_name}: {num_stray:,} of its {len(merges):,} merges yield no "
            "symbol of it"
        )


def _read_dictionary(path: Path) -> tuple[str, ...]:
    """Reads fairseq's `dict.txt`, whose line n (from 0) is id 4 + n, in Hugging Face's notation."""
    try:
        # Only "\n" ends a line: symbols may hold other characters that str.splitlines splits at.
        lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise VocabularyError([f"{path.name} is not UTF-8 (byte {error.start:,})"]) from error
    symbols = dict.fromkeys(SPECIAL_TOKENS)
    problems = []
    for number, line in enumerate(lines, start=1):
        symbol, _, count = line.removesuffix("\r").removesuffix(_OVERWRITE_FLAG).rpartition(" ")
        # fastBPE marks a symbol that does not end a word, Hugging Face's files one that does.
        symbol = symbol.removesuffix("@@") if symbol.endswith("@@") else symbol + "</w>"
        if not count.isdecimal() or symbol in ("", "</w>"):
            problems.append(f"{path.name}, line {number}: expected `symbol count`")
        elif symbol in symbols:
            problems.append(f"{path.name}, line {number}: {symbol!r} for the second time")
        symbols[symbol] = None
    if problems:
        raise VocabularyError(problems[:3])
    return tuple(symbols)


def _count_learned(symbols: Sequence[str]) -> int:
    """Returns the number of the last symbols that are learned1, learned2, ..., in this order."""
    last = symbols[-1].removesuffix("</w>").removeprefix("learned")
    count = int(last) if last.isdecimal() and len(last) <= len(str(MAX_SOFT_PROMPT_SIZE)) else 0
    names = [symbol.removesuffix("</w>") for symbol in symbols[len(symbols) - count :]]
    return count if names == [f"learned{number}" for number in range(1, count + 1)] else 0
