import pytest

from biogpt_onnx import BioGPT, ConfigError, GenerationConfig, tasks
from biogpt_onnx.tasks import DESCRIPTION, DescriptionTask, Document, Task
from makers.scripted import scripted


def severity(text: str, document: Document) -> tuple[str, str | None]:
    return text.removeprefix("the severity is ").removesuffix("."), document.id


OWN = Task("severity", severity, template="title: {title} text: {text} severity:", lower=True)


def test_a_task_of_ones_own_is_a_template_and_a_parser(mini: BioGPT) -> None:
    model = scripted(mini, "the severity is grade 3.")
    document = Document("Two patients DIED.", id="7", title="A Case")
    assert tasks.run(OWN, model, [document]) == [("grade 3", "7")]
    prepared = tasks.prepare_for(OWN, model, document)
    assert prepared.prompt_ids == (
        *mini.tokenizer.encode("title: a case text: two patients died. severity:"),
        *mini.tokenizer.soft_prompt_ids,
    )


def test_it_may_do_without_the_soft_prompt(mini: BioGPT) -> None:
    task = Task("severity", severity, soft_prompt_size=0, config=GenerationConfig(max_new_tokens=4))
    assert tasks.prepare_for(task, mini, "Text.").prompt_ids == tuple(mini.tokenizer.encode("Text."))
    ((text, _),) = tasks.run(task, mini, ["Text."])
    assert text == mini.generate("Text.", max_new_tokens=4).text.strip()


def test_its_source_traces_the_text() -> None:
    document = Document("DIED.", title="A")
    source = OWN.source(document)
    place = source.text.index("died.")
    assert source.origins[place : place + 5] == tuple(range(2, 7))


@pytest.mark.parametrize("template", ["no text", "{text} {text}", "{text} {author}", "{text} {", "{} {text}"])
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="template"):
        Task("mine", severity, template=template)


def test_a_description_is_the_term_and_what_follows(mini: BioGPT) -> None:
    task = DescriptionTask(config=DESCRIPTION.config.replace(min_new_tokens=5, max_new_tokens=12, num_beams=2))
    (described,) = tasks.run(task, mini, ["Lithium"])
    expected = mini.generate("Lithium", task.config)
    assert described.text == "Lithium" + expected.text
    assert (described.score, described.complete) == (expected.score, expected.finish_reason == "eos")


def test_descriptions_have_microsofts_settings() -> None:
    config = DESCRIPTION.config
    assert (config.num_beams, config.min_new_tokens, config.max_new_tokens, config.length_penalty) == (5, 100, 1024, 1)
