"""PubMedQA and HoC counted as Microsoft's post-processing and `hard_match_evaluation.py` do.

Beside our own figures: the answer is whatever stands behind the phrase, to the end of the text, so that "yes, it does"
is none of the answers and wrong; labels are divided at every "|", and unknown ones are ignored.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from biogpt_onnx.scores.as_published.figures import PublishedFigures, fraction
from biogpt_onnx.scores.as_published.lines import FAILED, LineReader
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.published import HOC, PUBMEDQA
from biogpt_onnx.tasks.results import Answer, Classification

_PROGRAM = "Microsoft's post-processing and `hard_match_evaluation.py`"
_LINES = LineReader()


def published_answers(gold_set: GoldSet[str], predictions: Sequence[Answer]) -> PublishedFigures:
    """Counts right answers.

    Args:
        gold_set: the questions with their gold answers.
        predictions: the model's answer to each question.
    """
    said = [_LINES.behind(one.text, _phrase(PUBMEDQA)) for one in predictions]
    right = sum(answer == true for answer, true in zip(said, gold_set.gold, strict=True))
    return PublishedFigures(
        _PROGRAM,
        documents=len(said),
        failed=said.count(FAILED),
        counts={"right": right},
        figures={"accuracy": right / len(said)},
    )


def published_hallmarks(gold_set: GoldSet[AbstractSet[str]], predictions: Sequence[Classification]) -> PublishedFigures:
    """Counts labels over all sentences.

    Args:
        gold_set: the sentences with their gold labels.
        predictions: the model's labels of each sentence.
    """
    said = [_LINES.behind(one.text, _phrase(HOC)) for one in predictions]
    known = frozenset(HOC.labels)
    labels = [known.intersection(map(str.strip, each.split("|"))) for each in said]
    gold = [known.intersection(each) for each in gold_set.gold]
    matched = sum(len(found & true) for found, true in zip(labels, gold, strict=True))
    predicted, true = sum(map(len, labels)), sum(map(len, gold))
    return PublishedFigures(
        _PROGRAM,
        documents=len(said),
        failed=said.count(FAILED),
        counts={"matched": matched, "predicted": predicted, "gold": true},
        figures={"micro F1": fraction(2 * matched, predicted + true)},
    )


def _phrase(task: AnswerTask | ClassificationTask) -> str:
    """Returns the sentence before its label, without the space, which the programs do not look for."""
    return task.sentence.partition("{label}")[0].rstrip()
