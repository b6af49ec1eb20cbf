"""Gold of PubMedQA (Jin et al., 2019): questions, abstracts, their conclusions if wanted, and answers."""

import re
from dataclasses import replace
from pathlib import Path

from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import read_documents, read_rows
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import PUBMEDQA

ANSWERS = PUBMEDQA.labels
"""The answers that a question may have."""

_QUESTION = "question:"
_CONTEXT = " context:"
_LONG_ANSWER = " answer: "


def read_questions(path: Path, labels: tuple[str, ...] = ANSWERS, *, with_conclusion: bool = False) -> GoldSet[str]:
    """Reads questions in the corpus's own JSON, or in a table if the file ends with `.tsv`.

    Args:
        path: `{id: {"QUESTION", "CONTEXTS", "LONG_ANSWER", "final_decision"}}`, or lines of
            `question: … context: … answer: <the conclusion>`, a tab and the answer.
        labels: the answers that a question may have.
        with_conclusion: gives each document the abstract's conclusion, which all but states the answer; otherwise it
            is never part of a document.

    Raises:
        DocumentError: the file is malformed, or a conclusion is missing that is asked for.
        OSError: it cannot be read.
    """
    read = _table_rows if path.suffix.lower() == ".tsv" else _json_entries
    rows = read(path, labels, with_conclusion=with_conclusion)
    return GoldSet(tuple(document for document, _ in rows), tuple(answer for _, answer in rows))


def _json_entries(path: Path, labels: tuple[str, ...], *, with_conclusion: bool) -> list[tuple[Document, str]]:
    found = []
    for name, entry in read_documents(path):
        context = _plain(" ".join(part.strip() for part in entry.texts("CONTEXTS")))
        document = _question_document(entry.where, name, entry.text("QUESTION"), context)
        if with_conclusion:
            document = _concluded(entry.where, document, _plain(entry.text("LONG_ANSWER")))
        found.append((document, _known_answer(entry.where, entry.text("final_decision"), labels)))
    return found


def _table_rows(path: Path, labels: tuple[str, ...], *, with_conclusion: bool) -> list[tuple[Document, str]]:
    found = []
    for where, text, answer in read_rows(path):
        question, mark, rest = text.partition(_CONTEXT)
        if not question.startswith(_QUESTION) or not mark:
            raise DocumentError(f"{where} must begin with 'question: ' and have ' context: ' behind the question")
        # Cut at the first mark: the conclusion might stand before a later one.
        context, _, conclusion = rest.partition(_LONG_ANSWER)
        document = _question_document(where, None, question.removeprefix(_QUESTION), context)
        document = _concluded(where, document, conclusion) if with_conclusion else document
        found.append((document, _known_answer(where, answer, labels)))
    return found


def _plain(text: str) -> str:
    # Line breaks and indents belong to the file and not to the abstract.
    return re.sub(r"\s+", " ", text)


def _question_document(where: str, name: str | None, question: str, context: str) -> Document:
    question, context = question.strip(), context.strip()
    if not question or not context:
        raise DocumentError(f"{where} has an empty question or context: leave it out")
    return Document(context, name, question=question)


def _concluded(where: str, document: Document, conclusion: str) -> Document:
    if not conclusion.strip():
        raise DocumentError(f"{where} has no conclusion: leave it out, or score all questions without conclusions")
    return replace(document, conclusion=conclusion.strip())


def _known_answer(where: str, answer: str, labels: tuple[str, ...]) -> str:
    if answer not in labels:
        raise DocumentError(f"{where} has the answer {answer!r}: known are {', '.join(labels)}")
    return answer
