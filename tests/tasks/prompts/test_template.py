import pytest

from biogpt_onnx import BioGPT, ConfigError, tasks
from biogpt_onnx.tasks import Document, PromptTemplate, RelationTask
from makers.scripted import scripted

DOCUMENT = Document("Lithium caused Tremor.", title="A Case", question="Why?")


def test_text_and_title_are_traced_to_the_document_and_nothing_else_is() -> None:
    source = PromptTemplate("{question} title: {title} text: {text} {title}", lower=True)(DOCUMENT)
    assert source.text == "why? title: a case text: lithium caused tremor. a case"
    for words in ("a case text", "lithium caused tremor."):
        start = source.text.index(words)
        origin = source.origins[start]
        assert origin is not None
        assert DOCUMENT.full_text[origin:].lower().startswith(words.removesuffix(" text"))
    assert {source.origins[place] for place in range(len("why? title: "))} == {None}
    # A character of the document has one place.
    known = [origin for origin in source.origins if origin is not None]
    assert len(set(known)) == len(known)


def test_a_doubled_brace_is_a_brace() -> None:
    assert PromptTemplate("{{a}} {text}")(DOCUMENT).text == "{a} Lithium caused Tremor."


@pytest.mark.parametrize(
    "template", ["no text", "{text} {text}", "{text} {author}", "{text} {", "{text}}", "{} {text}"]
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="the template is"):
        PromptTemplate(template)


def test_words_of_the_template_are_no_entities_and_those_of_the_title_are(mini: BioGPT) -> None:
    task = RelationTask(
        "mine",
        "that {head} leads to {tail}",
        relation="cause",
        source=PromptTemplate("tremor in {title} and {text}", lower=True),
    )
    document = Document("Lithium was given.", title="Ataxia")
    (found,) = tasks.run(task, scripted(mini, "that lithium leads to ataxia."), [document])
    (relation,) = found.relations
    assert (relation.head, relation.tail, relation.tail_span) == ("Lithium", "Ataxia", (0, 6))
    (found,) = tasks.run(task, scripted(mini, "that lithium leads to tremor."), [document])
    assert all("tremor" not in (relation.head, relation.tail) for relation in found.relations)
    assert all(relation.in_source for relation in found.relations)
