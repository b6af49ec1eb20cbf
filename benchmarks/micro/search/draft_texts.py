"""Texts that drafts are measured on: prompts, and real targets that copy more or less of them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.full_size import PRESET
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.runtime.bundle import MERGES_FILE, VOCAB_FILE
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

LONGEST_TARGET = 48
_LONGEST_PROMPT = 500
_RANDOM_PROMPT = 250
# Of BC5CDR's training set every tenth document is looked at.
_RELATION_DOCUMENTS = 50

Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class Example:
    """A prompt, and the tokens that are generated behind it."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]


def examples_by_kind(folder: Path, data: Path | None, documents: int) -> dict[str, list[Example]]:
    """Makes so many examples of each kind of text.

    Args:
        folder: for temporary files.
        data: a folder with `biogpt`, `bc5cdr/train.json` and `pubmedqa/train.tsv`; without it there is random text
            alone.
        documents: of each kind.

    Returns:
        Examples by kind. Those of "no repetition" are the control: random tokens of which none occurs twice.

    Raises:
        RuntimeError: the data holds fewer documents of a kind.
    """
    kinds = {"no repetition": [_random_text(seed) for seed in range(documents)]}
    if data is None:
        return kinds
    encode = _encoder(folder, data)
    sources = {
        "relations": _relations(data, encode),
        "summaries": _summaries(data, encode),
        "free text": _free_text(data, encode),
    }
    return kinds | {name: _first(name, examples, documents) for name, examples in sources.items()}


def _random_text(seed: int) -> Example:
    ids = np.random.default_rng(seed).permutation(np.arange(4, 42_000)).tolist()
    return Example((2, *ids[:_RANDOM_PROMPT]), tuple(ids[_RANDOM_PROMPT : _RANDOM_PROMPT + LONGEST_TARGET]))


def _first(kind: str, examples: Iterator[Example], documents: int) -> list[Example]:
    fitting = (each for each in examples if len(each.prompt) <= _LONGEST_PROMPT and len(each.target) > 1)
    found = list(islice(fitting, documents))
    if len(found) < documents:
        raise RuntimeError(f"the data holds {len(found)} documents for {kind}, {documents} are wanted")
    return found


def _relations(data: Path, encode: Encode) -> Iterator[Example]:
    """Yields abstracts with the relations that are annotated in them, in the words of BioGPT's task."""
    documents = list(json.loads((data / "bc5cdr" / "train.json").read_text(encoding="utf-8")).values())
    for document in documents[:: max(1, len(documents) // _RELATION_DOCUMENTS)]:
        surfaces = {
            kind: {mesh: text for text, mesh in reversed(document[f"{kind}2id"].items())}
            for kind in ("chemical", "disease")
        }
        statements = [
            "the relation between {} and {} exists".format(*(surfaces[kind][relation[kind]] for kind in surfaces))
            for relation in document["relations"]
            if all(relation[kind] in surfaces[kind] for kind in surfaces)
        ]
        if statements:
            source = encode(f"{document['title']} {document['abstract']}".lower())
            yield _example(source, encode("; ".join(statements) + ".")[1:])


def _summaries(data: Path, encode: Encode) -> Iterator[Example]:
    """Yields questions with their abstracts, and the sentence that answers them in the abstract's own terms."""
    for line in (data / "pubmedqa" / "train.tsv").read_text(encoding="utf-8").splitlines():
        source, _, answer = line.rpartition("\t")[0].partition(" answer: ")
        yield _example(encode(source), encode(answer)[1:])


def _free_text(data: Path, encode: Encode) -> Iterator[Example]:
    """Yields the first fifth of an abstract, and the rest of it."""
    for document in json.loads((data / "bc5cdr" / "train.json").read_text(encoding="utf-8")).values():
        ids = encode(document["abstract"])
        end = len(ids) // 5 + 1
        yield _example(ids[:end], ids[end:])


def _example(prompt: list[int], target: list[int]) -> Example:
    return Example(tuple(prompt), tuple(target[:LONGEST_TARGET]))


def _encoder(folder: Path, data: Path) -> Encode:
    write_huggingface_files(open_checkpoint(PRESET, vocabulary=data / "biogpt"), folder)
    return BioGptTokenizer.from_files(folder / VOCAB_FILE, folder / MERGES_FILE).encode
