"""Gold of the Hallmarks of Cancer corpus (Baker et al., 2016): sentences and their hallmarks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.files.reading import detect_format, read_fields
from biogpt_onnx.files.text.columns import TEXT_NAMES, Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import Entry, document_of, read_documents
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import HOC

LABELS = HOC.labels
"""The ten hallmarks, and the label for none of them."""

_LABELS = ("labels", "label")
# Without a header a field is known by its number.
_NUMBERED = Columns(text="1", header=False)


def read_hallmarks(path: Path, labels: tuple[str, ...] = LABELS) -> GoldSet[frozenset[str]]:
    """Reads sentences and their labels.

    Args:
        path: a table without a header, of a sentence, a tab and its labels joined by "|", as in Microsoft's repository;
            or a table or JSON with fields for the sentence and for its labels (`labels` or `label`), as in BLURB. In
            JSON the labels may be a list, as in the general form.
        labels: the known labels.

    Raises:
        DocumentError: a row is malformed or has a label that is none of them.
        OSError: the file cannot be read.
    """
    documents, gold = [], []
    for document, entry in _sentences(path):
        found = _labels(entry)
        unknown = sorted(found.difference(labels))
        if unknown:
            hint = did_you_mean(unknown[0], labels)
            raise DocumentError(f"{entry.where} has the label {unknown[0]!r}{hint}: known are {', '.join(labels)}")
        documents.append(document)
        gold.append(found)
    return GoldSet(tuple(documents), tuple(gold))


def _sentences(path: Path) -> Iterator[tuple[Document, Entry]]:
    """Yields each sentence, and its row with a field of labels."""
    if _has_header(path):
        for name, entry in read_documents(path):
            yield replace(document_of(entry), id=name), entry
        return
    for _, entry in read_documents(path, _NUMBERED):
        columns = [str(value).strip() for value in entry.fields.values()]
        if len(columns) != 2 or not all(columns):  # noqa: PLR2004 -- a sentence and its labels
            raise DocumentError(f"{entry.where} must have a sentence, a tab and its labels: mend it")
        yield Document(columns[0]), Entry(entry.where, {"labels": columns[1]})


def _has_header(path: Path) -> bool:
    """Returns False for a table whose first row names no column that could be the sentence."""
    # A file that is not there is an error of the system.
    path.open("rb").close()
    if detect_format(path).format != "tsv":
        return True
    first = next(read_fields(path, "tsv", _NUMBERED), None)
    names = () if first is None else first.fields.values()
    return any(str(name).strip().lower() in TEXT_NAMES for name in names)


def _labels(entry: Entry) -> frozenset[str]:
    field = next((name for name in _LABELS if name in entry.fields), _LABELS[0])
    is_list = isinstance(entry.fields.get(field), list)
    said = entry.texts(field) if is_list else entry.text(field).split(HOC.separator)
    return frozenset(label.strip() for label in said)
