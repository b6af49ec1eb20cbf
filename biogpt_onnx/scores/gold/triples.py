"""Gold of DDI and KD-DTI in Microsoft's JSON: texts about drugs, and the drugs' interactions."""

from pathlib import Path

from biogpt_onnx.scores.gold.concept_pairs import titled_document
from biogpt_onnx.scores.gold.files import Entry, read_documents
from biogpt_onnx.scores.gold.gold_set import GoldSet

Triple = tuple[str, str, str]
"""The names of a drug, an interaction and a target."""


def read_triples(path: Path) -> GoldSet[frozenset[Triple]]:
    """Reads documents with their triples.

    Args:
        path: `{id: {"title" (optional), "abstract", "triples": [{"drug", "target", "interaction"}]}}`.

    Raises:
        DocumentError: the file is malformed.
        OSError: the file cannot be read.
    """
    documents, gold = [], []
    for name, entry in read_documents(path):
        documents.append(titled_document(name, entry))
        gold.append(frozenset(map(_triple, entry.entries("triples"))))
    return GoldSet(tuple(documents), tuple(gold))


def _triple(entry: Entry) -> Triple:
    return entry.text("drug"), entry.text("interaction"), entry.text("target")
