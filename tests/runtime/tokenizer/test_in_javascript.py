"""The tokenizer of the page without a server, under Node: no difference to this one."""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, IncrementalDecoder
from biogpt_onnx.runtime.tokenizer.added_tokens import AddedToken
from biogpt_onnx.runtime.tokenizer.vocabulary import read_merges, read_symbols
from biogpt_onnx.web.description import describe_tokenizer
from makers.web import NO_NODE, NODE, answer, copy_modules

pytestmark = pytest.mark.skipif(NODE is None, reason=NO_NODE)

RANDOM_TEXTS = 2000
LINES = 40
MOST_CHARACTERS = 20_000
AWKWARD = (
    *"..'',,--`\"@()[]{}0159abzAZsS &<>|/;:%$*\\^_~",
    *"\t\n\r\x0b\x00\x07\x1c\x1f\x7f\x85\xa0\u2009\u2028\u3000\u200b\ufeff\xad",
    *("é", "ß", "α", "Α", "ǅ", "日", "本", "가", "½", "²", "٣", "\u0301", "\u094d", "€", "¿", "😀", "\ud800", "„", "”"),
    *(
        "..",
        "...",
        "'s",
        "n't",
        "5'",
        "s'",
        "' '",
        ".'",
        "1,000",
        "p<0.05",
        "e.g.",
        "U.S.",
        "a-b",
        "@-@",
        "@-@@-@",
        "--",
    ),
    *(
        "Dr.",
        "No.",
        "pp.",
        "Fig.",
        "DOTMULTI",
        "DOTDOTMULTI.",
        "&amp;",
        "&apos;",
        "&lt",
        "</s>",
        "</w>",
        "the",
        " ",
        " ",
    ),
)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "modules"
    copy_modules(folder)
    return folder


def random_texts(count: int) -> Iterator[str]:
    source = random.Random(20)  # noqa: S311 -- no secret
    planes = ((0, 0x80), (0, 0x250), (0, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000))
    for _ in range(count):
        of_pieces = source.random() < 0.5
        pieces = (source.choice(AWKWARD), chr(source.randrange(*source.choice(planes))))
        yield "".join(
            source.choice(AWKWARD)
            if of_pieces or source.random() < 0.3
            else chr(source.randrange(*source.choice(planes)))
            for _ in range(source.randrange(30))
        ) + source.choice(pieces)


def random_rows(tokenizer: BioGptTokenizer, count: int) -> Iterator[tuple[list[int], list[int]]]:
    """Ids of prompts and continuations, half of them of symbols with marks, as texts hardly ever have them."""
    source = random.Random(21)  # noqa: S311 -- no secret
    marked = [
        number
        for number in range(tokenizer.vocab_size)
        if any(mark in tokenizer.id_to_symbol(number) for mark in "@&'\",.()[]-;$€“„”¿`")
    ]
    for _ in range(count):
        ids = [
            source.choice(marked) if source.random() < 0.5 else source.randrange(tokenizer.vocab_size)
            for _ in range(source.randrange(40))
        ]
        cut = source.randrange(len(ids) + 1)
        yield ids[:cut], ids[cut:]


def check(modules: Path, folder: Path, tokenizer: BioGptTokenizer, texts: Sequence[str], rows: int) -> None:
    continuations = list(random_rows(tokenizer, rows))
    settings = describe_tokenizer(tokenizer, len(read_symbols(folder / "vocab.json")))
    files = {"vocab": folder / "vocab.json", "merges": folder / "merges.txt"}
    found = answer(modules, "tokenizer", **files, settings=settings, texts=texts, continuations=continuations)
    for text, ids, normalized, decoded in zip(texts, found["ids"], found["normalized"], found["decoded"], strict=True):
        assert ids == tokenizer.encode(text), ascii(text)
        assert normalized == tokenizer.encode(text, normalize_punctuation=True), ascii(text)
        assert decoded == tokenizer.decode(ids), ascii(text)
    for (prompt, ids), continuation in zip(continuations, found["continuations"], strict=True):
        before = IncrementalDecoder(tokenizer, prompt).prompt_text
        assert continuation == {"prompt": before, "text": tokenizer.decode_continuation(prompt, ids)}, (prompt, ids)


def test_random_texts_and_tokens_of_a_small_vocabulary(modules: Path, tiny_folder: Path, tiny: BioGptTokenizer) -> None:
    check(modules, tiny_folder, tiny, list(random_texts(RANDOM_TEXTS)), RANDOM_TEXTS)


def test_added_tokens_and_a_soft_prompt(modules: Path, tiny_folder: Path) -> None:
    symbols, merges = read_symbols(tiny_folder / "vocab.json"), read_merges(tiny_folder / "merges.txt")
    added = [
        AddedToken(len(symbols), "[DRUG]", is_special=True),
        AddedToken(len(symbols) + 1, "[DRUG](2)"),
        AddedToken(len(symbols) + 2, "<mask>", is_special=True, is_control=True),
        AddedToken(symbols.index("the</w>"), "the</w>"),
    ]
    tokenizer = BioGptTokenizer(symbols, merges, soft_prompt_size=3, added_tokens=added)
    source = random.Random(22)  # noqa: S311 -- no secret
    contents = [*(token.content for token in added), " ", "x", "the", "."]
    texts = ["".join(source.choice(contents) for _ in range(source.randrange(8))) for _ in range(200)]
    check(modules, tiny_folder, tokenizer, texts, 200)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value[:MOST_CHARACTERS]
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


@pytest.mark.parametrize("name", ["biogpt", "biogpt-large"])
def test_recorded_edge_cases_and_texts_of_the_published_vocabularies(
    modules: Path,
    published_folders: dict[str, Path],
    published_tokenizers: dict[str, BioGptTokenizer],
    data_folder: Path,
    name: str,
) -> None:
    goldens = json.loads((data_folder / "goldens" / "tokenizer_edge_cases.json").read_text(encoding="utf-8"))
    texts = [case["text"] for case in goldens]
    for path in sorted((data_folder / "text").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [text for line in islice(lines, LINES) for text in strings(json.loads(line))]
    check(modules, published_folders[name], published_tokenizers[name], [*texts, *random_texts(500)], 500)
