import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import BytePairEncoder
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS

# Strings that rules of the Moses tokenizer trip over, and of the detokenizer.
PIECES = (
    *"..'',,--`\"@()[]{}0159abzAZsS &<>|/;:%$*\\^_~\t\n\r\x0b\x00\x07\x1c\x1f\x7f",
    *("\x85", "\xa0", "\u2009", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\xad"),
    *(
        "é",
        "ß",
        "\u03b1",
        "\u0391",
        "ǅ",
        "日",
        "本",
        "가",
        "½",
        "²",
        "٣",
        "\u0301",
        "\u094d",
        "€",
        "£",
        "¿",
        "😀",
        "\ud800",
    ),
    *("\u2013", "\u2014", "\u2018", "\u2019", "\u201c", "\u201d", "\u201e", "\u2026", "\u2212", "\u2032", "\ufb01"),
    *("..", "...", "'s", "n't", "5'", "s'", "' '", ".'", "1,000", "p<0.05", "e.g.", "U.S.", "I.", "a-b", "@-@", "--"),
    *("Dr.", "No.", "Nos.", "pp.", "Fig.", "et al.", "vs.", "DOTMULTI", "DOTDOTMULTI.", "&amp;", "&apos;", "&lt"),
    *("</s>", "<unk>", "<s", "</w>", "the", "patients", "receptor", " ", " ", " ", "  "),
)

TOKEN_PIECES = (
    *("@-@", "@-", "@", "-@", "-"),
    *"..,;:?!%)]}\\([{$'\"`a0sZ&",
    *("''", "``", "s'", "'s", "'", "„", "“", "”", "€", "¿", "¿¡", "é", "'é", "½", "日", "本", "가", "\u1100", "\uffff"),
    *("&apos;", "&quot;", "&amp;", "&lt;", "&#91;", "&bra;", "&ap", "os;", "lt;", "&", "amp;", "&apos;s"),
    *("\xa0", "\u2028", "word", "receptor"),
)

SENTENCES = """
Aspirin inhibits cyclooxygenase and reduces the risk of stroke in patients with atrial fibrillation .
The patients &apos; data show that insulin lowers glucose , and that metformin does not ( p &lt; 0.05 ) .
COVID @-@ 19 is caused by a virus ; IL @-@ 6 , TNF @-@ \u03b1 and IL @-@ 1\u03b2 rise in the patient &apos;s blood .
We treated 1,000 patients [ 50 % women ] &quot; as usual &quot; : the drug inhibits the receptor &amp; its ligand .
"""


def learn_merges(words: Sequence[str], count: int) -> list[tuple[str, str]]:
    """A few merges, learned as they are: the most frequent pair first."""
    merges: list[tuple[str, str]] = []
    for _ in range(count):
        encoder = BytePairEncoder(merges)
        pairs = Counter(pair for word in words for pair in pairwise(encoder.split(word)))
        if not pairs:
            break
        merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
    return merges


def write_vocabulary(folder: Path, symbols: Sequence[str], merges: Sequence[tuple[str, str]]) -> Path:
    ids = {symbol: number for number, symbol in enumerate([*SPECIAL_TOKENS, *symbols])}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = "".join(f"{left} {right} {len(merges) - rank}\n" for rank, (left, right) in enumerate(merges))
    (folder / "merges.txt").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def awkward_texts() -> SearchStrategy[str]:
    return st.one_of(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), st.text(max_size=40))


@pytest.fixture(scope="session")
def symbol_texts() -> SearchStrategy[list[str]]:
    """Symbols' text in the order in which a model may produce it: ends of words are spaces."""
    return st.lists(st.sampled_from([*TOKEN_PIECES, *([" "] * 20), *(["@-@ "] * 4)]), max_size=40)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary of a few hundred symbols, with merges whose results are no symbols."""
    words = SENTENCES.split()
    merges = learn_merges(words, 220)
    characters = sorted({symbol for word in words for symbol in BytePairEncoder([]).split(word)})
    unlisted = {"&ap", "th", "in</w>"}  # as real vocabularies have them
    symbols = [s for s in dict.fromkeys([*characters, *(a + b for a, b in merges)]) if s not in unlisted]
    return write_vocabulary(tmp_path_factory.mktemp("tiny"), symbols, merges)


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> BioGptTokenizer:
    return BioGptTokenizer.from_files(tiny_folder / "vocab.json", tiny_folder / "merges.txt")


def published(data_folder: Path, target: Path, name: str) -> Path:
    lines = (data_folder / name / "dict.txt").read_text(encoding="utf-8").split("\n")
    names = [line.rpartition(" ")[0] for line in lines if line]
    symbols = [name.removesuffix("@@") if name.endswith("@@") else name + "</w>" for name in names]
    folder = target / name
    folder.mkdir()
    write_vocabulary(folder, symbols, [])
    (folder / "merges.txt").write_bytes((data_folder / name / "bpecodes").read_bytes())
    return folder


@pytest.fixture(scope="session")
def published_folders(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    target = tmp_path_factory.mktemp("published")
    return {name: published(data_folder, target, name) for name in ("biogpt", "biogpt-large")}


@pytest.fixture(scope="session")
def published_tokenizers(published_folders: dict[str, Path]) -> dict[str, BioGptTokenizer]:
    return {
        name: BioGptTokenizer.from_files(folder / "vocab.json", folder / "merges.txt")
        for name, folder in published_folders.items()
    }
