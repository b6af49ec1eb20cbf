from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError, tasks
from biogpt_onnx.tasks import HOC, NO_HALLMARK, PUBMEDQA, AnswerTask, ClassificationTask, Document, PromptTemplate
from makers.models import DeviceFake, FakeModel
from makers.scripted import scripted

QUESTION = Document("Of nine patients six got better.", question="Does lithium help?")
SENTENCE = "Mutated p53 no longer stops the cell cycle, and cells survive"
ONE_ROW = ClassificationTask("hoc", HOC.sentence, HOC.labels, alone=HOC.alone, soft_prompt_size=9)


@pytest.mark.parametrize("label", ["yes", "no", "maybe"])
def test_an_answer_is_the_likeliest_of_the_known(mini: BioGPT, label: str) -> None:
    model = scripted(mini, f"the answer to the question given the context is {label}.")
    (answer,) = tasks.run(PUBMEDQA, model, [QUESTION])
    assert answer.label == label
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert max(answer.probabilities, key=lambda one: answer.probabilities[one]) == label
    assert answer.read == len(QUESTION.text)


def test_a_free_answer_that_is_none_of_the_known_has_no_label(mini: BioGPT) -> None:
    model = scripted(mini, "the answer to the question given the context is certainly.")
    (answer,) = tasks.run(PUBMEDQA, model, [QUESTION], free=True)
    assert answer.label is None
    assert answer.text == "the answer to the question given the context is certainly."
    assert set(answer.probabilities) == {"yes", "no", "maybe"}
    (kept,) = tasks.run(PUBMEDQA, model, [QUESTION])
    assert kept.label in {"yes", "no", "maybe"}


def test_a_free_answer_is_read(mini: BioGPT) -> None:
    model = scripted(mini, "the answer to the question given the context is maybe.")
    (answer,) = tasks.run(PUBMEDQA, model, [QUESTION], free=True)
    assert answer.label == "maybe"
    assert answer.score == pytest.approx(0, abs=1e-3)


def test_probabilities_are_those_of_the_whole_sentences(mini: BioGPT) -> None:
    (answer,) = tasks.run(PUBMEDQA, mini, [QUESTION])
    prepared = tasks.prepare_for(PUBMEDQA, mini, QUESTION)
    prompt = mini.prefix(prepared.prompt_ids)
    sentences = [f"the answer to the question given the context is {label}." for label in PUBMEDQA.labels]
    expected = mini.choose(prompt, sentences, ends=True)
    assert list(answer.probabilities.values()) == [choice.probability for choice in expected.choices]
    assert answer.score == expected.best.log_probability


def test_a_question_is_needed(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match="question"):
        tasks.run(PUBMEDQA, mini, ["A context alone."])


def test_one_class_is_found(mini: BioGPT) -> None:
    model = scripted(mini, "the type of this document is resisting cell death.")
    (found,) = tasks.run(ONE_ROW, model, [SENTENCE])
    assert found.labels == ("resisting cell death",)
    assert found.text == "the type of this document is resisting cell death."
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert set(found.probabilities) == set(HOC.labels)


def test_several_classes_are_found_in_their_order(mini: BioGPT) -> None:
    text = "the type of this document is resisting cell death|inducing angiogenesis|cellular energetics."
    (found,) = tasks.run(ONE_ROW, scripted(mini, text), [SENTENCE])
    assert found.labels == ("resisting cell death", "inducing angiogenesis", "cellular energetics")
    assert found.text == text


def test_no_class_stands_alone(mini: BioGPT) -> None:
    (found,) = tasks.run(ONE_ROW, scripted(mini, "the type of this document is empty|cellular energetics."), [SENTENCE])
    assert found.labels == (NO_HALLMARK,)


def test_a_free_classification_hands_over_what_is_unknown(mini: BioGPT) -> None:
    model = scripted(mini, "the type of this document is resisting cell death|being nice.")
    (found,) = tasks.run(ONE_ROW, model, [SENTENCE], free=True)
    assert found.labels == ("resisting cell death",)
    assert found.unparsed == ("being nice",)
    (nothing,) = tasks.run(ONE_ROW, scripted(mini, "no idea"), [SENTENCE], free=True)
    assert (nothing.labels, nothing.unparsed) == ((), ("no idea",))


def test_a_real_model_answers_within_what_is_known(mini: BioGPT) -> None:
    (found,) = tasks.run(ONE_ROW, mini, [SENTENCE])
    assert set(found.labels) <= set(HOC.labels)
    assert len(set(found.labels)) == len(found.labels) > 0


class Asked(DeviceFake):
    """Counts how many sequences were read at a time for choices."""

    asked: list[int]

    def log_probabilities(self, sequences: Sequence[Sequence[int]], requested: Any) -> Any:
        self.asked = [*getattr(self, "asked", []), len(sequences)]
        return super().log_probabilities(sequences, requested)


BEFORE = "the type of this document is "
CASES: dict[str, tuple[Any, list[str], list[Any], int]] = {
    "answers": (
        PUBMEDQA,
        [f"the answer to the question given the context is {label}." for label in ("yes", "no", "maybe", "no")],
        [Document(f"This is text {number}.", question="Does lithium help?") for number in (1, 2, 3, 4)],
        1,
    ),
    "classes": (
        ONE_ROW,
        [
            f"{BEFORE}{labels}."
            for labels in ("resisting cell death", "empty", "resisting cell death|cellular energetics")
        ],
        [f"This is text {number}" for number in (1, 2, 3)],
        # First labels; what follows the two that agree; what follows the second of the last.
        3,
    ),
}


@pytest.mark.parametrize("free", [False, True], ids=["likeliest", "free"])
@pytest.mark.parametrize("name", CASES)
def test_on_a_gpu_documents_are_taken_together_and_answered_alike(mini: BioGPT, name: str, *, free: bool) -> None:
    task, texts, documents, passes = CASES[name]
    on_gpu, on_cpu = (scripted(mini, *texts, model=model) for model in (Asked, FakeModel))
    ours, theirs = (tasks.run(task, model, documents, free=free) for model in (on_gpu, on_cpu))
    assert [one.text for one in ours] == [one.text for one in theirs]
    assert [one.text.replace(" | ", "|") for one in ours] == texts
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.probabilities == pytest.approx(other.probabilities, abs=1e-4)
    asked = on_gpu._backend._decoder.asked  # type: ignore[attr-defined]
    assert len(asked) == (1 if free else passes)
    assert asked[0] % len(documents) == 0


@pytest.mark.parametrize("labels", [(), ("one",), ("one", "one"), ("one", " ")])
def test_labels_that_leave_no_choice_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="labels"):
        AnswerTask("mine", "it is {label}.", labels)


def test_a_sentence_without_a_place_for_the_label_is_refused() -> None:
    with pytest.raises(ConfigError, match="sentence"):
        ClassificationTask("mine", "it is so.", ("a", "b"))


def test_an_answer_below_the_least_probability_is_none(mini: BioGPT) -> None:
    (answer,) = tasks.run(PUBMEDQA, mini, [QUESTION])
    best = max(answer.probabilities.values())
    assert tasks.run(replace(PUBMEDQA, min_score=best), mini, [QUESTION]) == [answer]
    (none,) = tasks.run(replace(PUBMEDQA, min_score=best + 1e-6), mini, [QUESTION])
    assert none == replace(answer, label=None)
    model = scripted(mini, "the answer to the question given the context is no.")
    (free,) = tasks.run(replace(PUBMEDQA, min_score=0.9), model, [QUESTION], free=True)
    assert free.label == "no"


def test_a_task_without_questions_asks_none(mini: BioGPT) -> None:
    task = replace(PUBMEDQA, source=PromptTemplate("context: {text}"), needs_question=False)
    (answer,) = tasks.run(task, mini, ["A context alone."])
    assert answer.label in PUBMEDQA.labels


def test_labels_end_before_one_below_the_least_probability(mini: BioGPT) -> None:
    first, second = "resisting cell death", "inducing angiogenesis"
    model = scripted(mini, f"the type of this document is {first}|{second}.")
    (both,) = tasks.run(ONE_ROW, model, [SENTENCE])
    assert both.labels == (first, second)
    # The script is certain of both where it chooses them, though the second is hardly the first one.
    (kept,) = tasks.run(replace(ONE_ROW, min_score=0.9), model, [SENTENCE])
    assert kept == both
    (found,) = tasks.run(ONE_ROW, mini, [SENTENCE])
    best = found.probabilities[found.labels[0]]
    (none,) = tasks.run(replace(ONE_ROW, min_score=best + 1e-6), mini, [SENTENCE])
    assert (none.labels, none.text) == ((), "the type of this document is .")
    assert none.probabilities == found.probabilities


def test_labels_that_are_written_freely_have_no_probability_each(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="labels that are written freely have no probability each"):
        tasks.run(replace(ONE_ROW, min_score=0.5), mini, [SENTENCE], free=True)
