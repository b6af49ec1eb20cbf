"""Long documents cut and in windows: `python -m benchmarks.tasks.windows --data DIR --output FILE`.

Puts several held-out abstracts of BC5CDR behind one another, which makes long documents whose relations are known, and
asks the embedded checkpoint for relations in four ways, in turns on each document: cut, in windows of two sizes, and
each abstract by itself, which no reading of the whole can be expected to beat.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import biogpt_onnx
from benchmarks.processes import CHECKOUT
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.scores.gold.concept_pairs import ConceptPair, read_concept_pairs
from biogpt_onnx.scores.metrics.concept_pairs import predicted_pairs
from biogpt_onnx.tasks import BC5CDR, Document, Relations, run

HELD_OUT = 100
_WAYS: dict[str, dict[str, Any]] = {
    "cut": {"too_long": "cut"},
    "windows": {"too_long": "windows"},
    "windows as long as fits": {"too_long": "windows", "window_tokens": 10_000},
}
_APART = "each abstract alone"


@dataclass(frozen=True)
class LongDocument:
    """Several abstracts as one document, and the relations that they state."""

    parts: tuple[Document, ...]
    gold: frozenset[ConceptPair]

    @property
    def joined(self) -> Document:
        """The abstracts behind one another, without a title."""
        return Document(" ".join(part.full_text for part in self.parts))


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--data", type=Path, required=True, help="a folder with `bc5cdr`")
    parser.add_argument("--mini", type=Path, default=CHECKOUT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--abstracts", type=int, nargs="+", default=[5, 10], help="how many make a document")
    options = parser.parse_args()
    gold = read_concept_pairs(options.data / "bc5cdr" / "valid.json")
    known = list(zip(gold.documents, gold.gold, strict=True))[-HELD_OUT:]
    results = dict(stamp())
    with tempfile.TemporaryDirectory() as name:
        export_bundle(open_checkpoint(options.mini), Path(name) / "mini")
        model = biogpt_onnx.load(Path(name) / "mini")

        def pairs(found: Sequence[Relations]) -> frozenset[ConceptPair]:
            assert gold.lexicon is not None  # noqa: S101 -- BC5CDR has one
            return frozenset().union(*predicted_pairs(found, gold.lexicon))

        for size in options.abstracts:
            documents = [_joined(known[first : first + size]) for first in range(0, len(known) - size + 1, size)]
            results[f"{size} abstracts"] = found = _measured(model, documents, pairs)
            print(size, found, flush=True)
    write_results(options.output, results)


def _joined(known: Sequence[tuple[Document, frozenset[ConceptPair]]]) -> LongDocument:
    plain = (Document(document.text, document.id, document.title) for document, _ in known)
    return LongDocument(tuple(plain), frozenset().union(*(pairs for _, pairs in known)))


def _measured(
    model: biogpt_onnx.BioGPT,
    documents: Sequence[LongDocument],
    pairs: Callable[[Sequence[Relations]], frozenset[ConceptPair]],
) -> dict[str, object]:
    """Returns recall, precision and seconds of each way."""

    def at_once(document: LongDocument, settings: dict[str, Any]) -> list[Relations]:
        return run(BC5CDR, model, [document.joined], **settings)

    ways: dict[str, Callable[[LongDocument], list[Relations]]] = {
        **{way: partial(at_once, settings=settings) for way, settings in _WAYS.items()},
        _APART: lambda document: run(BC5CDR, model, document.parts),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    counts = dict.fromkeys(ways, (0, 0))
    for document in documents:
        for name, answer in ways.items():
            began = time.perf_counter()
            stated = pairs(answer(document))
            seconds[name].append(time.perf_counter() - began)
            right, predicted = counts[name]
            counts[name] = right + len(stated & document.gold), predicted + len(stated)
    total = sum(len(document.gold) for document in documents)
    return {
        "documents": len(documents),
        "gold": total,
        **{
            name: {
                "correct": right,
                "predicted": predicted,
                "recall": right / total,
                "precision": right / max(predicted, 1),
                "median_seconds": statistics.median(seconds[name]),
            }
            for name, (right, predicted) in counts.items()
        },
    }


if __name__ == "__main__":
    main()
