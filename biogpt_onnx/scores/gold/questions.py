"""Gold of PubMedQA (Jin et al., 2019): questions, abstracts without their conclusions, and answers."""

import re
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import Entry, read_documents, read_rows
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import PUBMEDQA

ANSWERS = PUBMEDQA.labels
"""The answers that a question may have."""

_QUESTION = "question:"
_CONTEXT = " context:"
_LONG_ANSWER = " answer: "


def read_questions(path: Path, labels: tuple[str, ...] = ANSWERS) -> GoldSet[str]:
    """Reads questions in the corpus's own JSON, or in a table if the file ends with `.tsv`.

    The abstract's conclusion is never part of a document: it would give the answer away.

    Args:
        path: `{id: {"QUESTION", "CONTEXTS", "final_decision"}}`, or lines of
            `question: … context: … answer: <the conclusion>`, a tab and the answer.
        labels: the answers that a question may have.

    Raises:
        DocumentError: the file is malformed.
        OSError: it cannot be read.
    """
    rows = _table_rows(path, labels) if path.suffix.lower() == ".tsv" else _json_entries(path, labels)
    return GoldSet(tuple(document for document, _ in rows), tuple(answer for _, answer in rows))


def _json_entries(path: Path, labels: tuple[str, ...]) -> list[tuple[Document, str]]:
    return [(_document(name, entry), _answer(entry, labels)) for name, entry in read_documents(path)]


def _document(name: str, entry: Entry) -> Document:
    # Line breaks and indents belong to the file and not to the abstract.
    context = re.sub(r"\s+", " ", " ".join(part.strip() for part in entry.texts("CONTEXTS")))
    return _question_document(entry.where, name, entry.text("QUESTION"), context)


def _answer(entry: Entry, labels: tuple[str, ...]) -> str:
    return _known_answer(entry.where, entry.text("final_decision"), labels)


def _table_rows(path: Path, labels: tuple[str, ...]) -> list[tuple[Document, str]]:
    found = []
    for where, text, answer in read_rows(path):
        question, mark, rest = text.partition(_CONTEXT)
        if not question.startswith(_QUESTION) or not mark:
            raise DocumentError(f"{where} must begin with 'question: ' and have ' context: ' behind the question")
        # Cut at the first mark: the conclusion might stand before a later one.
        context = rest.partition(_LONG_ANSWER)[0]
        document = _question_document(where, None, question.removeprefix(_QUESTION), context)
        found.append((document, _known_answer(where, answer, labels)))
    return found


def _question_document(where: str, name: str | None, question: str, context: str) -> Document:
    question, context = question.strip(), context.strip()
    if not question or not context:
        raise DocumentError(f"{where} has an empty question or context: leave it out")
    return Document(context, name, question=question)


def _known_answer(where: str, answer: str, labels: tuple[str, ...]) -> str:
    if answer not in labels:
        raise DocumentError(f"{where} has the answer {answer!r}: known are {', '.join(labels)}")
    return answer
