import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError, tasks
from biogpt_onnx.tasks import HOC, NO_HALLMARK, PUBMEDQA, AnswerTask, ClassificationTask, Document
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


@pytest.mark.parametrize("labels", [(), ("one",), ("one", "one"), ("one", " ")])
def test_labels_that_leave_no_choice_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="labels"):
        AnswerTask("mine", "it is {label}.", labels)


def test_a_sentence_without_a_place_for_the_label_is_refused() -> None:
    with pytest.raises(ConfigError, match="sentence"):
        ClassificationTask("mine", "it is so.", ("a", "b"))
