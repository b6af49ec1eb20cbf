"""PubMedQA (Jin et al., 2019): questions, abstracts without their conclusions, and the answers yes, no or maybe."""

import re
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold_file import Entry, read_documents, read_rows
from biogpt_onnx.scores.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import PUBMEDQA

ANSWERS = PUBMEDQA.labels

_QUESTION = "question:"
_CONTEXT = " context:"
_LONG_ANSWER = " answer: "


def read_questions(path: Path, labels: tuple[str, ...] = ANSWERS) -> GoldSet[str]:
    """Reads the corpus in its own JSON, or in a table for a file that ends with `.tsv`.

    The abstract's conclusion is never part of a document: it would give the answer away.

    Args:
        path: `{id: {"QUESTION", "CONTEXTS", "final_decision"}}`, or lines of
            `question: … context: … answer: <the conclusion>`, a tab and the answer.
        labels: the answers that there are.

    Raises:
        DocumentError: the file is malformed.
        OSError: it cannot be read.
    """
    rows = _rows(path, labels) if path.suffix.lower() == ".tsv" else _entries(path, labels)
    return GoldSet(tuple(document for document, _ in rows), tuple(answer for _, answer in rows))


def _entries(path: Path, labels: tuple[str, ...]) -> list[tuple[Document, str]]:
    return [(_document(name, entry), _answer(entry, labels)) for name, entry in read_documents(path)]


def _document(name: str, entry: Entry) -> Document:
    # Line breaks and indents are the file's, not the abstract's.
    context = re.sub(r"\s+", " ", " ".join(part.strip() for part in entry.texts("CONTEXTS")))
    return _asked(entry.where, name, entry.text("QUESTION"), context)


def _answer(entry: Entry, labels: tuple[str, ...]) -> str:
    return _known(entry.where, entry.text("final_decision"), labels)


def _rows(path: Path, labels: tuple[str, ...]) -> list[tuple[Document, str]]:
    found = []
    for where, text, answer in read_rows(path):
        asked, mark, said = text.partition(_CONTEXT)
        if not asked.startswith(_QUESTION) or not mark:
            raise DocumentError(f"{where} must begin with 'question: ' and have ' context: ' behind the question")
        # The first mark: of a later one the conclusion might be before it.
        context = said.partition(_LONG_ANSWER)[0]
        found.append((_asked(where, None, asked.removeprefix(_QUESTION), context), _known(where, answer, labels)))
    return found


def _asked(where: str, name: str | None, question: str, context: str) -> Document:
    question, context = question.strip(), context.strip()
    if not question or not context:
        raise DocumentError(f"{where} has an empty question or context: leave it out")
    return Document(context, name, question=question)


def _known(where: str, answer: str, labels: tuple[str, ...]) -> str:
    if answer not in labels:
        raise DocumentError(f"{where} has the answer {answer!r}: known are {', '.join(labels)}")
    return answer
