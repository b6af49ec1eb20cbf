"""What drafts save where the text copies its source, and cost where it repeats nothing, at BioGPT's full size.

The weights are random, so what is written is prescribed: a rule makes the next token of a real target the likeliest.
The model computes every step in full all the same.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MERGES_FILE, VOCAB_FILE, read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.search import Request, run_search
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

DRAFT_TOKENS = 10
DOCUMENTS = 8
ROUNDS = 2
_LONGEST_TARGET = 96
_LONGEST_SOURCE = 500
_CERTAIN = np.float32(1e6)


@dataclass(frozen=True)
class Example:
    """A prompt, and what is written behind it."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]


def measure(bundle: Path, folder: Path, data: Path | None) -> Mapping[str, object]:
    """Steps and seconds with drafts beside those without, for each kind of text.

    Args:
        bundle: of BioGPT's size.
        folder: for temporary files.
        data: a folder with `biogpt`, `bc5cdr/train.json` and `pubmedqa/train.tsv`; without it only random text is
            measured.
    """
    session = DecoderSession(bundle, read_manifest(bundle))
    kinds: dict[str, list[Example]] = {"no repetition": [_random_text(seed) for seed in range(3)]}
    if data is not None:
        encode = _encoder(folder, data)
        kinds |= {
            "relations": _take(_relations(data, encode)),
            "summaries": _take(_summaries(data, encode)),
            "free text": _take(_free_text(data, encode)),
        }
    return {
        "draft_tokens": DRAFT_TOKENS,
        "rounds": ROUNDS,
        "kinds": {name: _measure_kind(session, examples) for name, examples in kinds.items()},
    }


def _measure_kind(session: DecoderSession, examples: Sequence[Example]) -> Mapping[str, object]:
    rows = [_measure_example(session, example) for example in examples]
    plain, drafted = (sum(statistics.median(row[name]) for row in rows) for name in ("plain", "drafted"))
    tokens, passes = sum(len(example.target) for example in examples), sum(row["passes"][0] for row in rows)
    return {
        "documents": len(examples),
        "new_tokens": tokens,
        "passes": int(passes),
        "passes_to_plain": passes / tokens,
        "seconds_to_plain": drafted / plain,
        "samples": rows,
    }


def _measure_example(session: DecoderSession, example: Example) -> dict[str, list[float]]:
    """Seconds of decoding, plain and drafted in turns, and the passes that drafts took."""
    prefix = Prefix(session, example.prompt)
    samples: dict[str, list[float]] = {"plain": [], "drafted": [], "passes": []}
    for _ in range(ROUNDS):
        for name, num_tokens in (("plain", 0), ("drafted", DRAFT_TOKENS)):
            seconds, passes = _decode(session, prefix, example, num_tokens)
            samples[name].append(seconds)
            if num_tokens:
                samples["passes"] = [float(passes)]
    return samples


def _decode(
    session: DecoderSession, prefix: Prefix[KeyValueCache], example: Example, num_tokens: int
) -> tuple[float, int]:
    def prescribe(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        prescribed = logits.copy()
        prescribed[example.target[len(ids) - len(example.prompt)]] += _CERTAIN
        return prescribed

    config = GenerationConfig(
        max_new_tokens=len(example.target),
        eos_token_id=None,
        prompt_lookup_num_tokens=num_tokens,
        logits_processors=[prescribe],
    )
    state = SequenceState(example.prompt, len(example.target), eos_token_id=None, prefix=prefix)
    start = perf_counter()
    passes = sum(1 for _ in run_search(session, [Request([state])], config, Limits()))
    seconds = perf_counter() - start
    if tuple(state.token_ids) != example.target:
        raise RuntimeError("what was written is not what was prescribed")
    return seconds, passes


def _random_text(seed: int) -> Example:
    ids = np.random.default_rng(seed).permutation(np.arange(4, 42_000)).tolist()
    return Example((2, *ids[:250]), tuple(ids[250 : 250 + _LONGEST_TARGET]))


def _take(examples: Iterator[Example]) -> list[Example]:
    fitting = (example for example in examples if len(example.prompt) <= _LONGEST_SOURCE and len(example.target) > 1)
    return [next(fitting) for _ in range(DOCUMENTS)]


def _relations(data: Path, encode: Callable[[str], list[int]]) -> Iterator[Example]:
    """Abstracts and the relations that are annotated in them, in the words of BioGPT's task."""
    documents = list(json.loads((data / "bc5cdr" / "train.json").read_text(encoding="utf-8")).values())
    for document in documents[:: len(documents) // 50]:
        surfaces = {
            kind: {mesh: text for text, mesh in reversed(document[f"{kind}2id"].items())}
            for kind in ("chemical", "disease")
        }
        said = [
            "the relation between {} and {} exists".format(*(surfaces[kind][relation[kind]] for kind in surfaces))
            for relation in document["relations"]
            if all(relation[kind] in surfaces[kind] for kind in surfaces)
        ]
        if said:
            source = encode(f"{document['title']} {document['abstract']}".lower())
            yield Example(tuple(source), tuple(encode("; ".join(said) + ".")[1:][:_LONGEST_TARGET]))


def _summaries(data: Path, encode: Callable[[str], list[int]]) -> Iterator[Example]:
    """Questions with their abstracts, and the sentence that answers them in the abstract's own terms."""
    lines = (data / "pubmedqa" / "train.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        source, _, answer = line.rpartition("\t")[0].partition(" answer: ")
        yield Example(tuple(encode(source)), tuple(encode(answer)[1:][:_LONGEST_TARGET]))


def _free_text(data: Path, encode: Callable[[str], list[int]]) -> Iterator[Example]:
    """The first fifth of an abstract, and the rest of it."""
    for document in json.loads((data / "bc5cdr" / "train.json").read_text(encoding="utf-8")).values():
        ids = encode(document["abstract"])
        yield Example(tuple(ids[: len(ids) // 5 + 1]), tuple(ids[len(ids) // 5 + 1 :][:_LONGEST_TARGET]))


def _encoder(folder: Path, data: Path) -> Callable[[str], list[int]]:
    write_huggingface_files(open_checkpoint("preset:biogpt", vocabulary=data / "biogpt"), folder)
    return BioGptTokenizer.from_files(folder / VOCAB_FILE, folder / MERGES_FILE).encode
