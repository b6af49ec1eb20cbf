"""The Hallmarks of Cancer corpus (Baker et al., 2016) as Microsoft gives it: sentences and their hallmarks."""

from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold_file import read_rows
from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import HOC

LABELS = HOC.labels
"""The ten hallmarks, and that there is none."""


def read_hallmarks(path: Path, labels: tuple[str, ...] = LABELS) -> GoldSet[frozenset[str]]:
    """Reads a sentence, a tab and its labels joined by "|", a line each; blank lines are skipped.

    Args:
        path: the file.
        labels: the labels that there are.

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
