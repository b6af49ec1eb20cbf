"""Gold of the Hallmarks of Cancer corpus (Baker et al., 2016) in Microsoft's table: sentences and their hallmarks."""

from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import read_rows
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import HOC

LABELS = HOC.labels
"""The ten hallmarks, and the label for none of them."""


def read_hallmarks(path: Path, labels: tuple[str, ...] = LABELS) -> GoldSet[frozenset[str]]:
    """Reads sentences and their labels.

    Args:
        path: lines of a sentence, a tab and its labels joined by "|"; blank lines are skipped.
        labels: the known labels.

    Raises:
        DocumentError: a line is malformed or has a label that is none of them.
        OSError: the file cannot be read.
    """
    documents, gold = [], []
    for where, sentence, said in read_rows(path):
        found = frozenset(label.strip() for label in said.split("|"))
        unknown = sorted(found.difference(labels))
        if unknown:
            raise DocumentError(f"{where} has the label {unknown[0]!r}: known are {', '.join(labels)}")
        documents.append(Document(sentence))
        gold.append(found)
    return GoldSet(tuple(documents), tuple(gold))
