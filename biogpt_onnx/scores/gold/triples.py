"""DDI and KD-DTI in Microsoft's JSON: texts about drugs, and what the drugs do to what."""

from pathlib import Path

from biogpt_onnx.scores.concept_gold import titled_document
from biogpt_onnx.scores.gold_file import Entry, read_documents
from biogpt_onnx.scores.gold_set import GoldSet

Triple = tuple[str, str, str]
"""A drug, what holds between it and its target, and the target, as they are written."""


def read_triples(path: Path) -> GoldSet[frozenset[Triple]]:
    """Reads `{id: {"title" or none, "abstract", "triples": [{"drug", "target", "interaction"}]}}`.

    Raises:
        DocumentError: the file is malformed.
        OSError: it cannot be read.
    """
    documents, gold = [], []
    for name, entry in read_documents(path):
        documents.append(titled_document(name, entry))
        gold.append(frozenset(map(_triple, entry.entries("triples"))))
    return GoldSet(tuple(documents), tuple(gold))


def _triple(entry: Entry) -> Triple:
    return entry.text("drug"), entry.text("interaction"), entry.text("target")
