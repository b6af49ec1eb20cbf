from dataclasses import replace
from math import exp
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, GenerationConfig, PromptError, tasks
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.bpe import END_OF_WORD
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS
from biogpt_onnx.tasks import BC5CDR, DDI, KD_DTI, Document, NamedEntity, RelationTask
from makers.scripted import scripted

DOCUMENT = Document(
    "Lithium caused Tremor and Ataxia in two of nine patients. Aspirin did not.", title="Side effects of Lithium"
)


def said(*pairs: tuple[str, str]) -> str:
    return "; ".join(f"the relation between {head} and {tail} exists" for head, tail in pairs) + "."


def only(model: BioGPT, document: Document | str = DOCUMENT, *, free: bool = False) -> tasks.Relations:
    (found,) = tasks.run(BC5CDR, model, [document], free=free)
    return found


@pytest.mark.parametrize("free", [True, False])
def test_relations_come_with_the_users_own_words_and_where_they_stand(mini: BioGPT, free: bool) -> None:  # noqa: FBT001
    found = only(scripted(mini, said(("lithium", "tremor"), ("lithium", "ataxia"))), free=free)
    full_text = DOCUMENT.full_text
    assert [(one.head, one.relation, one.tail) for one in found.relations] == [
        ("Lithium", "CID", "Tremor"),
        ("Lithium", "CID", "Ataxia"),
    ]
    for relation in found.relations:
        assert relation.in_source
        assert full_text[slice(*relation.head_span)] == relation.head  # type: ignore[misc]
        assert full_text[slice(*relation.tail_span)] == relation.tail  # type: ignore[misc]
    assert (found.unparsed, found.complete, found.read) == ((), True, len(full_text))
    assert found.text == said(("lithium", "tremor"), ("lithium", "ataxia"))


def test_and_within_an_entity_is_told_from_and_between_two(mini: BioGPT) -> None:
    (relation,) = only(scripted(mini, said(("lithium", "tremor and ataxia")))).relations
    assert (relation.head, relation.tail) == ("Lithium", "Tremor and Ataxia")


def test_the_stop_that_ends_a_sentence_is_no_part_of_a_name(mini: BioGPT) -> None:
    text = "Seizures occurred in two patients who were given cocaine. Both patients recovered."
    (relation,) = only(scripted(mini, said(("cocaine.", "seizures"))), text).relations
    assert (relation.head, relation.tail, relation.in_source) == ("cocaine", "Seizures", True)
    assert text[slice(*relation.head_span)] == "cocaine"  # type: ignore[misc]


def test_the_stop_of_an_abbreviation_is(mini: BioGPT) -> None:
    text = "Seizures were seen in the U.S. and in two patients."
    (relation,) = only(scripted(mini, said(("u.s.", "seizures"))), text).relations
    assert relation.head == "U.S."


def test_an_invented_entity_is_kept_out(mini: BioGPT) -> None:
    found = only(scripted(mini, said(("lithium", "headache"))))
    assert all(relation.in_source for relation in found.relations)
    assert "headache" not in found.text


def test_an_invented_entity_is_flagged_where_decoding_is_free(mini: BioGPT) -> None:
    (relation,) = only(scripted(mini, said(("lithium", "headache"))), free=True).relations
    assert (relation.tail, relation.tail_span, relation.in_source) == ("headache", None, False)
    assert relation.head_span is not None


def test_what_cannot_be_read_is_handed_over(mini: BioGPT) -> None:
    text = f"lithium is bad; {said(('lithium', 'tremor'))}"
    found = only(scripted(mini, text), free=True)
    assert found.unparsed == ("lithium is bad",)
    assert len(found.relations) == 1
    assert found.text == text


def test_a_repeated_relation_is_given_once(mini: BioGPT) -> None:
    found = only(scripted(mini, said(("lithium", "tremor"), ("lithium", "ataxia"), ("lithium", "tremor"))))
    assert len(found.relations) == 2


def test_nothing_to_say_is_no_relations(mini: BioGPT) -> None:
    found = only(scripted(mini, ""))
    assert (found.relations, found.unparsed, found.text, found.complete) == ((), (), "", True)


@pytest.mark.parametrize("room", [1, 2, 6, 12, 20, 26, 40])
def test_a_model_without_room_states_less_and_is_not_complete(mini: BioGPT, room: int) -> None:
    text = said(("lithium", "tremor"), ("lithium", "ataxia"))
    sizes = [len(mini.tokenizer.encode(one)) for one in (said(("lithium", "tremor")), text)]
    task = replace(BC5CDR, config=GenerationConfig(max_new_tokens=room))
    (found,) = tasks.run(task, scripted(mini, text), [DOCUMENT])
    # The ending takes a token too, in the place of the one that begins every text.
    assert len(found.relations) == sum(size <= room for size in sizes)
    assert found.complete == (sizes[1] <= room)
    assert found.unparsed == ()


def test_the_models_positions_are_a_room_too(mini: BioGPT) -> None:
    prompt = tasks.prepare_for(BC5CDR, mini, DOCUMENT)
    task = replace(BC5CDR, least_new_tokens=1)
    model = scripted(mini, said(("lithium", "tremor")), max_positions=len(prompt.prompt_ids) + 5)
    (found,) = tasks.run(task, model, [DOCUMENT])
    assert (found.relations, found.unparsed, found.complete) == ((), (), False)


def test_scores_are_the_log_probabilities_of_each_statement(mini: BioGPT) -> None:
    found = only(mini, free=True)
    prepared = tasks.prepare_for(BC5CDR, mini, DOCUMENT)
    (generation,) = mini.generate_ids([prepared.prompt_ids], max_new_tokens=1024)
    assert sum(generation.sequences[0].log_probabilities) == pytest.approx(generation.score)
    assert found.relations
    assert all(relation.score < 0 for relation in found.relations)
    assert sum(relation.score for relation in found.relations) >= generation.score - 1e-6


def test_interactions_name_what_they_are(mini: BioGPT) -> None:
    form = "the interaction between {} and {} is {}"
    text = f"{form.format('warfarin', 'aspirin', 'effect')}; {form.format('aspirin', 'ibuprofen', 'int')}."
    model = scripted(mini, text)
    (found,) = tasks.run(DDI, model, ["Warfarin with Aspirin, or Aspirin with Ibuprofen: beware."])
    assert [(one.head, one.relation, one.tail) for one in found.relations] == [
        ("Warfarin", "effect", "Aspirin"),
        ("Aspirin", "int", "Ibuprofen"),
    ]


def test_a_label_of_several_words_is_read_whole(mini: BioGPT) -> None:
    model = scripted(mini, "the interaction between aspirin and cox-1 is partial agonist.")
    (found,) = tasks.run(KD_DTI, model, [Document("Aspirin and COX-1.", title="Aspirin")])
    (relation,) = found.relations
    assert (relation.relation, relation.tail) == ("partial agonist", "COX-1")


def test_documents_of_a_batch_do_not_depend_on_each_other(mini: BioGPT) -> None:
    documents = [
        DOCUMENT,
        Document("Cocaine induced seizures in rats.", title="Cocaine"),
        Document("Haloperidol. " * 30),
    ]
    together = tasks.run(BC5CDR, mini, documents)
    assert together == [tasks.run(BC5CDR, mini, [document])[0] for document in documents]


def test_every_relation_of_a_real_model_stands_in_the_document(mini: BioGPT) -> None:
    documents = [
        "Fatal renal failure was seen after high doses of cisplatin and amphotericin B in a child with leukemia.",
        "Cocaine-induced seizures and hyperthermia were prevented by diazepam (5 mg/kg) in rats & mice.",
        "Nothing happened.",
    ]
    for found, text in zip(tasks.run(BC5CDR, mini, documents), documents, strict=True):
        for relation in found.relations:
            assert relation.in_source
            assert text[slice(*relation.head_span)] == relation.head  # type: ignore[misc]
        assert found.unparsed == () or not found.complete


def test_a_task_must_say_what_its_relation_is_called_once() -> None:
    with pytest.raises(ConfigError, match="either"):
        RelationTask("mine", "that {head} causes {tail}")
    with pytest.raises(ConfigError, match="either"):
        RelationTask("mine", "that {head} does {relation} to {tail}", relation="x")


def test_a_task_without_labels_decodes_freely_or_not_at_all(mini: BioGPT) -> None:
    task = RelationTask("mine", "that {head} does {relation} to {tail}")
    model = scripted(mini, "that lithium does harm to patients.")
    with pytest.raises(ConfigError, match="labels"):
        tasks.run(task, model, [DOCUMENT])
    (found,) = tasks.run(task, model, [DOCUMENT], free=True)
    assert [(one.head, one.relation, one.tail) for one in found.relations] == [("Lithium", "harm", "patients")]


NAMES = (NamedEntity("Lithium", "Chemical"), NamedEntity("aspirin", "chemical"), NamedEntity("Ataxia", "Disease"))


def named(*entities: NamedEntity) -> Document:
    return Document(DOCUMENT.text, title=DOCUMENT.title, entities=entities)


def test_relations_are_made_of_the_names_that_a_document_is_given(mini: BioGPT) -> None:
    # Tremor stands in the document, but nobody named it.
    found = only(scripted(mini, said(("lithium", "tremor"))), named(*NAMES))
    assert [(one.head, one.tail) for one in found.relations][:1] == [("Lithium", "Ataxia")]
    (relation,) = only(scripted(mini, said(("aspirin", "ataxia"))), named(*NAMES)).relations
    assert (relation.head, relation.tail) == ("Aspirin", "Ataxia")
    assert DOCUMENT.full_text[slice(*relation.head_span)] == "Aspirin"  # type: ignore[misc]


def test_a_chemical_is_no_disease_and_a_name_without_a_type_is_either(mini: BioGPT) -> None:
    text = said(("ataxia", "lithium"))
    (relation,) = only(scripted(mini, text), named(*NAMES)).relations[:1]
    assert (relation.head, relation.tail) != ("Ataxia", "Lithium")
    untyped = (NamedEntity("Lithium"), NamedEntity("Ataxia"))
    (relation,) = only(scripted(mini, text), named(*untyped)).relations
    assert (relation.head, relation.tail) == ("Ataxia", "Lithium")


@pytest.mark.parametrize(
    "entities",
    [
        (),
        (NamedEntity("Lithium", "Chemical"),),
        (NamedEntity("Ataxia", "Disease"), NamedEntity("Tremor", "Disease")),
        # Neither stands in the document.
        (NamedEntity("Lithium", "Chemical"), NamedEntity("headache", "Disease")),
        (NamedEntity("Lithium", "Chemical"), NamedEntity("", "Disease")),
    ],
    ids=["nothing", "no disease", "no chemical", "an absent disease", "an empty name"],
)
def test_where_one_of_the_two_cannot_be_named_there_is_no_relation(
    mini: BioGPT, entities: tuple[NamedEntity, ...]
) -> None:
    found = only(scripted(mini, said(("lithium", "tremor"))), named(*entities))
    assert (found.relations, found.unparsed, found.text, found.complete) == ((), (), "", True)


MARKED = "Parkinson’s disease and Stevens–Johnson syndrome with lithium."


@pytest.mark.parametrize("normalize_punctuation", [True, False])
@pytest.mark.parametrize(
    "entities",
    [
        (NamedEntity("lithium", "Chemical"), NamedEntity("Parkinson’s disease", "Disease")),
        (NamedEntity("lithium", "Chemical"), NamedEntity("Parkinson's disease", "Disease")),
        (NamedEntity("lithium", "Chemical"), NamedEntity("Parkinson disease", "Disease", ((0, 19),), "D010300")),
        None,
    ],
    ids=["as the document", "as ASCII", "by its place", "any words"],
)
def test_words_with_typographic_marks_are_the_documents_own(
    mini: BioGPT,
    normalize_punctuation: bool,  # noqa: FBT001
    entities: tuple[NamedEntity, ...] | None,
) -> None:
    if entities is None and not normalize_punctuation:
        return  # Words that the vocabulary lacks cannot be generated.
    document = Document(MARKED, entities=entities)
    model = scripted(mini, said(("lithium", "parkinson's disease")))
    (found,) = tasks.run(BC5CDR, model, [document], normalize_punctuation=normalize_punctuation)
    (relation,) = found.relations
    assert (relation.tail, relation.tail_span) == ("Parkinson’s disease", (0, 19))
    assert (relation.head, relation.in_source) == ("lithium", True)


def test_every_word_with_a_mark_can_be_found_again(mini: BioGPT) -> None:
    model = scripted(mini, said(("lithium", "stevens-johnson syndrome"), ("lithium", "disease and stevens-johnson")))
    (found,) = tasks.run(BC5CDR, model, [MARKED], normalize_punctuation=True)
    assert [one.tail for one in found.relations] == [
        "Stevens–Johnson syndrome",
        "disease and Stevens–Johnson",
    ]


def test_a_relation_of_given_entities_has_their_places_and_ids(mini: BioGPT) -> None:
    text = "All children received asparaginase. ALL relapsed."
    all_, asparaginase = NamedEntity("ALL", "Disease", ((36, 39),), "D054198"), NamedEntity("asparaginase", "drug")
    document = Document(text, entities=(all_, asparaginase))
    (relation,) = only(scripted(mini, said(("asparaginase", "all"))), document).relations
    assert (relation.tail, relation.tail_span, relation.tail_concept) == ("ALL", (36, 39), "D054198")
    assert (relation.head_span, relation.head_concept) == ((22, 34), None)


def test_individual_mentions_of_one_place_are_two_relations(mini: BioGPT) -> None:
    text = "Cisplatin caused renal and hepatic failure."
    entities = (
        NamedEntity("Cisplatin", "Chemical", ((0, 9),), "D002945"),
        NamedEntity("renal failure", "Disease", ((17, 22), (35, 42)), "D051437"),
        NamedEntity("hepatic failure", "Disease", ((27, 42),), "D017093"),
    )
    model = scripted(mini, said(("cisplatin", "renal failure"), ("cisplatin", "hepatic failure")))
    found = only(model, Document(text, entities=entities)).relations
    assert [(one.tail, one.tail_span, one.tail_concept) for one in found] == [
        ("renal and hepatic failure", (17, 42), "D051437"),
        ("hepatic failure", (27, 42), "D017093"),
    ]


def test_a_document_names_what_it_does_not_hold(mini: BioGPT) -> None:
    document = named(*NAMES, NamedEntity("headache", "Disease", ((3, 11),)))
    with pytest.raises(PromptError, match="entity 4, at 3 to 11, has a name that stands neither there nor elsewhere"):
        only(scripted(mini, ""), document)


def test_a_title_without_a_full_stop_lends_none_to_its_last_word(mini: BioGPT) -> None:
    document = Document("We gave it.", title="Lithium")
    model = scripted(mini, "the relation between lithium. and lithium. exists.")
    (found,) = tasks.run(replace(BC5CDR, distinct=False), model, [document], free=True)
    (relation,) = found.relations
    assert (relation.head, relation.head_span, relation.tail, relation.in_source) == (
        "Lithium",
        (0, 7),
        "Lithium",
        True,
    )
    for relation in only(model, document).relations:
        assert "." not in relation.head + relation.tail
        assert relation.in_source


def test_an_ampersand_of_several_pieces_ends_no_statement(mini: BioGPT) -> None:
    characters = sorted(set("abcdefghijklmnopqrstuvwxyz&;.,"))
    symbols = [*SPECIAL_TOKENS, *characters, *(character + END_OF_WORD for character in characters)]
    tokenizer = BioGptTokenizer(symbols, [], soft_prompt_size=9)
    assert tokenizer.symbol_to_id(";" + END_OF_WORD) in tokenizer.encode("&")
    model = scripted(BioGPT(mini._backend, tokenizer, mini.manifest), said(("lamivudine", "hbv & hcv"), ("hbv", "hcv")))
    for free in (False, True):
        (found,) = tasks.run(BC5CDR, model, ["HBV & HCV after lamivudine."], free=free)
        assert [(one.head, one.tail) for one in found.relations] == [("lamivudine", "HBV & HCV"), ("HBV", "HCV")]
        assert found.unparsed == ()


def test_free_decoding_keeps_to_no_names(mini: BioGPT) -> None:
    (relation,) = only(scripted(mini, said(("lithium", "tremor"))), named(*NAMES), free=True).relations
    assert relation.tail == "Tremor"


def own_relations(mini: BioGPT, text: str, document: Document | str, **settings: Any) -> tasks.Relations:
    task = RelationTask("mine", "that {head} leads to {tail}", relation="cause", **settings)
    (found,) = tasks.run(task, scripted(mini, text), [document], free=True)
    return found


def pairs(found: tasks.Relations) -> list[tuple[str, str]]:
    return [(relation.head, relation.tail) for relation in found.relations]


SELF = "that renal failure leads to failure; that Failure leads to failure; that lithium leads to renal failure."


def test_nothing_is_related_with_itself_or_with_a_part_of_itself(mini: BioGPT) -> None:
    found = own_relations(mini, SELF, "Renal failure after lithium.")
    assert pairs(found) == [("lithium", "Renal failure")]
    # They are statements, and the text still holds them.
    assert (found.unparsed, found.text) == ((), SELF)


def test_unless_the_task_says_that_it_may_be(mini: BioGPT) -> None:
    found = own_relations(mini, SELF, "Renal failure after lithium.", distinct=False)
    assert pairs(found) == [("Renal failure", "failure"), ("failure", "failure"), ("lithium", "Renal failure")]


def test_a_part_is_a_part_in_whole_words_whatever_the_spaces_at_digits(mini: BioGPT) -> None:
    text = "that a trial leads to atrial fibrillation; that fk 506 leads to fk506 toxicity."
    assert pairs(own_relations(mini, text, "A trial of FK506 and atrial fibrillation, FK506 toxicity.")) == [
        ("A trial", "atrial fibrillation")
    ]


def test_of_two_ways_to_read_a_statement_the_one_that_relates_two_things_is_taken(mini: BioGPT) -> None:
    form = "the relation between fever and fever and pain exists."
    document = "Fever and pain, or fever and fever."
    (found,) = tasks.run(replace(BC5CDR, distinct=False), scripted(mini, form), [document], free=True)
    assert pairs(found) == [("fever and fever", "pain")]
    form = "the relation between pain and pain and fever exists."
    (found,) = tasks.run(BC5CDR, scripted(mini, form), ["Fever, pain, pain and fever."], free=True)
    # "pain" and "pain and fever" are both in the document, but one is a part of the other.
    assert pairs(found) == []


def test_given_entities_are_themselves_by_their_names_and_ids(mini: BioGPT) -> None:
    text = "Heparin-induced thrombocytopenia after heparin, and low platelets (thrombocytopenia)."
    entities = (
        NamedEntity("heparin", "Chemical", concept="D1"),
        NamedEntity("Heparin-induced thrombocytopenia", "Disease", concept="D2"),
        NamedEntity("low platelets", "", concept="D3"),
        NamedEntity("thrombocytopenia", "", concept="D3"),
    )
    said_ = said(
        ("heparin", "heparin-induced thrombocytopenia"),
        ("low platelets", "thrombocytopenia"),
        ("thrombocytopenia", "thrombocytopenia"),
    )
    found = only(scripted(mini, said_), Document(text, entities=entities))
    assert pairs(found) == [("Heparin", "Heparin-induced thrombocytopenia")]


def test_relations_below_the_least_probability_are_left_out(mini: BioGPT) -> None:
    everything = only(mini, free=True)
    assert everything.relations
    least = min(exp(relation.score) for relation in everything.relations)
    (kept,) = tasks.run(replace(BC5CDR, min_score=least), mini, [DOCUMENT], free=True)
    assert kept == everything
    (none,) = tasks.run(replace(BC5CDR, min_score=1.0), mini, [DOCUMENT], free=True)
    assert (none.relations, none.unparsed, none.text) == ((), everything.unparsed, everything.text)
    best = max(exp(relation.score) for relation in everything.relations)
    (some,) = tasks.run(replace(BC5CDR, min_score=best), mini, [DOCUMENT], free=True)
    assert [exp(relation.score) for relation in some.relations] == [best]


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "0.5", True])
def test_a_least_probability_is_a_probability(value: Any) -> None:
    with pytest.raises(ConfigError, match="task bc5cdr: min_score is"):
        replace(BC5CDR, min_score=value)
    with pytest.raises(ConfigError, match="task pubmedqa: min_score is"):
        replace(tasks.PUBMEDQA, min_score=value)
    with pytest.raises(ConfigError, match="task hoc: min_score is"):
        replace(tasks.HOC, min_score=value)


def test_a_text_that_is_written_freely_and_breaks_off_is_not_complete(mini: BioGPT) -> None:
    text = said(("lithium", "tremor"), ("lithium", "ataxia"))
    size = len(mini.tokenizer.encode(text))
    for room, complete in ((size - 2, False), (size, True)):
        task = replace(BC5CDR, config=GenerationConfig(max_new_tokens=room))
        (found,) = tasks.run(task, scripted(mini, text), [DOCUMENT], free=True)
        assert found.complete == complete


@pytest.mark.parametrize("labels", [("inhibits", "inhibits"), ("inhibits", " ")])
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="give each of them once"):
        RelationTask("mine", "that {head} does {relation} to {tail}", labels=labels)
