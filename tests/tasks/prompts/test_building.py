import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError, tasks
from biogpt_onnx.tasks import BC5CDR, DESCRIPTION, PUBMEDQA, Document, Reading, prepare_for
from makers.scripted import scripted

CUT = Reading("cut")
SENTENCE = "Lithium caused tremor in two of nine patients (Fig. 1). "


def small(mini: BioGPT, max_positions: int = 200) -> BioGPT:
    return scripted(mini, "", max_positions=max_positions)


def test_the_prompt_is_the_source_and_the_soft_prompt(mini: BioGPT) -> None:
    prepared = prepare_for(BC5CDR, mini, Document("Lithium & tremor.", title="A Case"))
    assert prepared.prompt_ids == (
        *mini.tokenizer.encode("a case. lithium & tremor."),
        *mini.tokenizer.soft_prompt_ids,
    )
    assert prepared.read == len("A Case Lithium & tremor.")


def test_a_description_has_no_soft_prompt(mini: BioGPT) -> None:
    assert prepare_for(DESCRIPTION, mini, "Lithium").prompt_ids == tuple(mini.tokenizer.encode("Lithium"))


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x01\x02", "\x1f"])
def test_a_document_without_words_is_refused(mini: BioGPT, text: str) -> None:
    with pytest.raises(PromptError, match="give it a text"):
        tasks.run(BC5CDR, mini, [text])


def test_control_characters_do_no_harm(mini: BioGPT) -> None:
    text = "Lith\x00ium\x1b caused\x07 tremor\r\n and\tataxia."
    (found,) = tasks.run(BC5CDR, scripted(mini, "the relation between lithium and ataxia exists."), [text])
    (relation,) = found.relations
    assert (relation.head, relation.tail) == ("Lith\x00ium", "ataxia")


def test_a_document_that_is_too_long_is_refused_with_its_length(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match=r"document has [\d,]+ tokens, of which the model reads 72"):
        prepare_for(BC5CDR, small(mini), SENTENCE * 60)


def test_it_is_cut_behind_the_last_sentence_that_fits(mini: BioGPT) -> None:
    text = SENTENCE * 60
    prepared = prepare_for(BC5CDR, small(mini), text, CUT)
    assert len(prepared.prompt_ids) <= 72
    assert text[: prepared.read].endswith(("(Fig. 1).", "patients (Fig."))
    longer = SENTENCE * (prepared.read // len(SENTENCE) + 2)
    with pytest.raises(PromptError):
        prepare_for(BC5CDR, small(mini), longer)
    assert prepared.document.text == text


def test_a_hundred_thousand_tokens_are_cut(mini: BioGPT) -> None:
    prepared = prepare_for(BC5CDR, mini, SENTENCE * 8_000, CUT)
    assert 0 < len(prepared.prompt_ids) <= mini.manifest.architecture.max_positions - BC5CDR.least_new_tokens


def test_a_sentence_that_is_too_long_is_cut_behind_a_word(mini: BioGPT) -> None:
    prepared = prepare_for(BC5CDR, small(mini), "lithium tremor " * 400, CUT)
    assert 50 < len(prepared.prompt_ids) <= 72
    assert prepared.source.text.split()[-1] in {"lithium", "tremor"}


def test_a_context_is_cut_and_its_question_stays(mini: BioGPT) -> None:
    document = Document(SENTENCE * 60, question="Does lithium cause tremor?")
    prepared = prepare_for(PUBMEDQA, small(mini), document, CUT)
    assert prepared.source.text.startswith("question: Does lithium cause tremor? context: Lithium")
    assert prepared.read < len(document.text)


def test_a_title_that_is_too_long_alone_cannot_be_cut(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match="title or question"):
        prepare_for(BC5CDR, small(mini), Document("Short text.", title=SENTENCE * 40), CUT)


def test_the_result_says_how_much_was_read(mini: BioGPT) -> None:
    model = scripted(mini, "the relation between lithium and tremor exists.", max_positions=200)
    (found,) = tasks.run(BC5CDR, model, [SENTENCE * 60], too_long="cut")
    assert 0 < found.read < len(SENTENCE * 60)
    assert found.relations[0].head_span == (0, 7)


def test_typographic_punctuation_is_read_as_ascii_if_asked(mini: BioGPT) -> None:
    text = "The anti\N{EN DASH}tumour drug lithium caused tremor."
    assert mini.tokenizer.unk_id in prepare_for(BC5CDR, mini, text).source_ids
    assert mini.tokenizer.unk_id not in prepare_for(BC5CDR, mini, text, Reading(normalize_punctuation=True)).source_ids


@pytest.mark.parametrize("documents", [[], "a text", Document("a text")])
def test_documents_come_as_a_list(mini: BioGPT, documents: object) -> None:
    with pytest.raises(PromptError, match="list"):
        tasks.run(BC5CDR, mini, documents)  # type: ignore[call-overload]


def test_a_document_of_another_type_is_refused(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match="type int"):
        tasks.run(BC5CDR, mini, [1])  # type: ignore[list-item]


def test_an_unknown_way_to_shorten_is_refused() -> None:
    with pytest.raises(ConfigError, match="too_long"):
        Reading("split")  # type: ignore[arg-type]
