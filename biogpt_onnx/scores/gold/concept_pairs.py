"""Gold of BC5CDR in Microsoft's JSON: abstracts, and the chemical-disease relations that they state."""

from dataclasses import replace
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import Entry, read_documents, read_entry
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.gold.lexicon import Lexicon, lexicon_names, plain_concept
from biogpt_onnx.tasks.document import Document, NamedEntity

ConceptPair = tuple[str, str]
"""The MeSH ids of a chemical and a disease."""


def read_concept_pairs(path: Path, entities: Path | None = None) -> GoldSet[frozenset[ConceptPair]]:
    """Reads documents with their entities, relations and lexicon.

    Args:
        path: `{id: {"title", "abstract", "relations": [{"chemical", "disease"}], "chemical2id", "disease2id"}}`.
        entities: `{"chemical2id", "disease2id"}`, the lexicon; None for the names of all documents together, where of
            two documents' ids for a name the later document's counts.

    Raises:
        DocumentError: a file is malformed.
        OSError: a file cannot be read.
    """
    documents, gold = [], []
    chemicals: dict[str, str] = {}
    diseases: dict[str, str] = {}
    for name, entry in read_documents(path):
        named = {kind: entry.names(f"{kind.lower()}2id") for kind in ("Chemical", "Disease")}
        entities_here = tuple(NamedEntity(text, kind) for kind, names in named.items() for text in names)
        documents.append(replace(titled_document(name, entry), entities=entities_here))
        gold.append(frozenset(map(_pair, entry.entries("relations"))))
        chemicals |= lexicon_names(named["Chemical"])
        diseases |= lexicon_names(named["Disease"])
    lexicon = Lexicon(chemicals, diseases) if entities is None else _read_lexicon(entities)
    return GoldSet(tuple(documents), tuple(gold), lexicon)


def titled_document(name: str | None, entry: Entry) -> Document:
    """Returns a document with an abstract and perhaps a title.

    Args:
        name: the document's id, or None.
        entry: its fields, `title` (optional) and `abstract`.

    Raises:
        DocumentError: a field is malformed, or both are empty.
    """
    title, abstract = entry.text("title", optional=True), entry.text("abstract")
    if not (title.strip() or abstract.strip()):
        raise DocumentError(f"{entry.where} has neither a title nor an abstract: leave it out")
    return Document(abstract, name, title)


def _pair(entry: Entry) -> ConceptPair:
    return plain_concept(entry.text("chemical")), plain_concept(entry.text("disease"))


def _read_lexicon(path: Path) -> Lexicon:
    entry = read_entry(path)
    return Lexicon(lexicon_names(entry.names("chemical2id")), lexicon_names(entry.names("disease2id")))
