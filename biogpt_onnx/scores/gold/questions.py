"""Gold of PubMedQA (Jin et al., 2019): questions, abstracts, their conclusions if wanted, and answers."""

from pathlib import Path

from biogpt_onnx.files.text.columns import Columns
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.scores.gold.files import document_of, read_documents
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.published import PUBMEDQA

ANSWERS = PUBMEDQA.labels
"""The answers that a question may have."""

_PUBLISHED, _GENERAL = "final_decision", "answer"
_CONCLUDED = Columns(with_conclusion=True)


def read_questions(
    path: Path, labels: tuple[str, ...] = ANSWERS, *, with_conclusion: bool = False, needs_question: bool = True
) -> GoldSet[str]:
    """Reads questions in any of the corpus's published forms, or in the general form.

    Args:
        path: the corpus's own JSON, `{id: {"QUESTION", "CONTEXTS", "LONG_ANSWER", "final_decision"}}`; that of the hub,
            as JSON lines with `pubid`, `question`, `context`, `long_answer` and `final_decision`; or Microsoft's table,
            lines of `question: … context: … answer: <the conclusion>`, a tab and the answer. In the general form, JSON
            or a table, the answer is the field `answer`.
        labels: the answers that a question may have.
        with_conclusion: gives each document the abstract's conclusion, which all but states the answer; otherwise it
            is never part of a document.
        needs_question: whether each document must have a question.

    Raises:
        DocumentError: the file is malformed, or a conclusion is missing that is asked for.
        OSError: it cannot be read.
    """
    documents, gold = [], []
    for name, entry in read_documents(path):
        published = _PUBLISHED in entry.fields or _GENERAL not in entry.fields
        answer = entry.text(_PUBLISHED if published else _GENERAL)
        if answer not in labels:
            raise DocumentError(f"{entry.where} has the answer {answer!r}: known are {', '.join(labels)}")
        found = document_of(entry, _CONCLUDED if with_conclusion else Columns())
        question, context = found.question.strip(), found.text.strip()
        if not context or (needs_question and not question):
            raise DocumentError(f"{entry.where} has an empty question or context: leave it out")
        title = "" if published else found.title
        documents.append(Document(context, name, title, question=question, conclusion=found.conclusion))
        gold.append(answer)
    return GoldSet(tuple(documents), tuple(gold))
