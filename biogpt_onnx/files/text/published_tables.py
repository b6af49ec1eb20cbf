"""Tables without a header that corpora are published as, known by their first row: PubMedQA's and HoC's."""

import re
from collections.abc import Callable, Mapping, Sequence

from biogpt_onnx.files.rows import RowError
from biogpt_onnx.tasks.published import HOC

FieldsOf = Callable[[list[str]], Mapping[str, object]]
"""Names the fields of a row, or raises `RowError`."""

_QUESTION = re.compile(r"question:(.*?) context:(.*)", re.DOTALL)
_CONCLUSION = " answer: "


def published_fields(first: Sequence[str]) -> FieldsOf | None:
    """Returns the function that names the fields of a published table's rows; None for any other table.

    Args:
        first: The table's first row.
    """
    if len(first) <= 2 and (first[0].startswith("question:") or " context:" in first[0]):  # noqa: PLR2004 -- and answer
        return question_fields
    if len(first) == 2 and not set(HOC.labels).isdisjoint(first[1].strip().split(HOC.separator)):  # noqa: PLR2004 -- and labels
        return hallmark_fields
    return None


def question_fields(values: list[str]) -> Mapping[str, object]:
    """Returns the fields of a row of PubMedQA's table: `question: … context: … answer: <the conclusion>`, the answer.

    Raises:
        RowError: The row does not begin in this way.
    """
    found = _QUESTION.fullmatch(values[0].strip() + " ")
    if found is None:
        raise RowError("it must begin with 'question: ' and have ' context: ' behind the question")
    # Cut at the first mark: the conclusion might stand before a later one.
    context, _, conclusion = found[2].partition(_CONCLUSION)
    fields = {"question": found[1].strip(), "context": context.strip(), "long_answer": conclusion.strip()}
    return fields | {"final_decision": values[1].strip()} if len(values) > 1 else fields


def hallmark_fields(values: list[str]) -> Mapping[str, object]:
    """Returns the fields of a row of HoC's table: a sentence and its labels, joined by "|"."""
    return {"sentence": values[0].strip(), "labels": values[1].strip()}
