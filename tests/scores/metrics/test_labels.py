import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.hallmarks import LABELS as HALLMARKS
from biogpt_onnx.scores.gold.questions import ANSWERS
from biogpt_onnx.scores.metrics.answers import answer_metrics, confusion
from biogpt_onnx.scores.metrics.labels import ClassScore, class_counts, class_scores, macro_f1, micro_f1

Labels = frozenset[str]

CLASSES = ("a", "b", "c")
LABELS = st.frozensets(st.sampled_from(HALLMARKS), min_size=1, max_size=3)
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=12)


def sets(*labels: str) -> list[Labels]:
    return [frozenset(each) for each in labels]


def test_classes_are_scored_by_hand() -> None:
    # a: true in 2, predicted in 2, both in 1. b: true in 2, predicted in 1, both in 1. c: predicted in 1.
    counts = class_counts(sets("a", "ac", "b"), sets("a", "b", "b"), CLASSES)
    counts_of_a = class_counts(sets("a", "ac", "b"), sets("ab", "b", "a"), CLASSES)
    assert micro_f1(counts).value == pytest.approx(2 * 2 / (4 + 3))
    assert macro_f1(counts).value == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert class_scores(counts, CLASSES)[1] == ClassScore("b", 2, 1, 1.0, 0.5, 2 / 3)
    assert class_scores(counts, CLASSES)[2] == ClassScore("c", 0, 1, 0.0, 0.0, 0.0)
    assert class_scores(counts_of_a, CLASSES)[0] == ClassScore("a", 2, 2, 0.5, 0.5, 0.5)


def test_a_label_that_is_no_class_counts_as_not_said() -> None:
    counts = class_counts([frozenset({"failed"}), frozenset({"a", "joy"})], sets("a", "a"), CLASSES)
    assert micro_f1(counts).value == pytest.approx(2 / 3)


def test_labels_are_scored_as_scikit_learn_scores_them() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(1)  # noqa: S311 -- for a test, not for a secret
    gold, said = ([frozenset(draw.sample(HALLMARKS, draw.randint(1, 3))) for _ in range(200)] for _ in range(2))
    indicator = [[[int(label in each) for label in HALLMARKS] for each in of] for of in (gold, said)]
    counts = class_counts(said, gold, HALLMARKS)
    assert micro_f1(counts).value == pytest.approx(metrics.f1_score(*indicator, average="micro"))
    assert macro_f1(counts).value == pytest.approx(metrics.f1_score(*indicator, average="macro"))


@given(PAIRS)
def test_the_gold_itself_scores_one_and_order_does_not_matter(pairs: list[tuple[Labels, Labels]]) -> None:
    said, gold = [first for first, _ in pairs], [second for _, second in pairs]
    assert micro_f1(class_counts(gold, gold, HALLMARKS)).value == 1
    present = frozenset.union(*gold)
    assert macro_f1(class_counts(gold, gold, HALLMARKS)).value == pytest.approx(len(present) / len(HALLMARKS))
    found = class_counts(said, gold, HALLMARKS)
    turned = class_counts(said[::-1], gold[::-1], HALLMARKS)
    assert micro_f1(found).value == micro_f1(turned).value
    assert macro_f1(found).value == macro_f1(turned).value


def test_answers_are_scored_by_hand() -> None:
    # yes: true in 2, said in 3, both in 2. no: true in 2, said in 1, both in 1. maybe: true in 1, never said.
    accuracy, macro = answer_metrics(["yes", "yes", "no", "yes", None], ["yes", "yes", "no", "no", "maybe"])
    assert (accuracy.name, accuracy.value) == ("accuracy", 3 / 5)
    assert macro.name == "macro F1"
    assert macro.value == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)


def test_answers_are_scored_as_scikit_learn_scores_them() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(2)  # noqa: S311 -- for a test, not for a secret
    gold, said = (draw.choices(ANSWERS, k=100) for _ in range(2))
    accuracy, macro = answer_metrics(said, gold)
    assert accuracy.value == pytest.approx(metrics.accuracy_score(gold, said))
    assert macro.value == pytest.approx(metrics.f1_score(gold, said, average="macro", labels=list(ANSWERS)))


def test_confusions_are_counted_by_what_was_true() -> None:
    found = confusion(["yes", "no", None, "perhaps"], ["yes", "yes", "no", "no"])
    assert found["yes"] == {"yes": 1, "no": 1, "maybe": 0, "none": 0}
    assert found["no"] == {"yes": 0, "no": 0, "maybe": 0, "none": 2}
    assert set(found) == set(ANSWERS)


def test_predictions_of_other_documents_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 predictions for 2 gold documents"):
        answer_metrics(["yes"], ["yes", "no"])
    with pytest.raises(ConfigError, match="2 predictions for 1 gold documents"):
        class_counts(sets("a", "b"), sets("a"), CLASSES)
