import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from biogpt_onnx import BioGPT, PromptError
from biogpt_onnx.tasks import BC5CDR, DDI, Document, NamedEntity, prepare_for
from biogpt_onnx.tasks.statements.given_entities import GivenEntities, Mention
from biogpt_onnx.tasks.statements.mentions import MentionFinder

TITLE, TEXT = (
    "Lithium-induced tremor",
    "All children received asparaginase. ALL relapsed after atrial flutter in a trial.",
)
FULL_TEXT = f"{TITLE} {TEXT}"


def given(mini: BioGPT, *entities: NamedEntity, text: str = TEXT, title: str = TITLE) -> GivenEntities:
    prepared = prepare_for(BC5CDR, mini, Document(text, title=title, entities=entities))
    return GivenEntities(mini.tokenizer, prepared, MentionFinder(prepared.source), "Chemical")


def names(mini: BioGPT, found: GivenEntities) -> list[str]:
    return [mini.tokenizer.decode(ids).strip() for ids in found.token_ids]


def span(words: str, full_text: str = FULL_TEXT) -> tuple[int, int]:
    return full_text.index(words), full_text.index(words) + len(words)


@pytest.mark.parametrize("spans", [(span("ALL"),), ()])
def test_a_name_stands_where_it_is_given_or_where_it_is_spelled_the_same(
    mini: BioGPT, spans: tuple[tuple[int, int], ...]
) -> None:
    found = given(mini, NamedEntity("ALL", "Chemical", spans, "D1"))
    assert found.find("all") == Mention(span("ALL"), "D1")


def test_the_characters_at_the_place_are_the_name_however_it_is_spelled(mini: BioGPT) -> None:
    text = "β‐carotene and TNF‐α in renal  failure."
    entities = [
        NamedEntity("b-carotene", "", (span("β‐carotene", text),)),
        NamedEntity("TNF alpha", "", (span("TNF‐α", text),)),
        NamedEntity("kidney failure", "", (span("renal  failure", text),)),
    ]
    found = given(mini, *entities, text=text, title="")
    assert len(names(mini, found)) == 3
    assert found.find("renal failure") == Mention(span("renal  failure", text))
    assert {found.find(name) and text[slice(*found.find(name).span)] for name in names(mini, found)} == {  # type: ignore[union-attr]
        "β‐carotene",
        "TNF‐α",
        "renal  failure",
    }


@pytest.mark.parametrize("start", [1, 3, 500])
def test_a_place_that_is_wrong_gives_way_to_the_same_words_elsewhere(mini: BioGPT, start: int) -> None:
    found = given(mini, NamedEntity("asparaginase", "Chemical", ((start, start + 12),)))
    assert found.find("asparaginase") == Mention(span("asparaginase"))


@pytest.mark.parametrize("spans", [((3, 10),), ((500, 507),), ((-5, 2),), ((10, 10),)])
def test_a_name_that_stands_nowhere_is_an_error_of_its_document(
    mini: BioGPT, spans: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(PromptError, match=r"entity 2, at -?\d+ to -?\d+, has a name that stands neither") as caught:
        given(mini, NamedEntity("ALL"), NamedEntity("aspirin", "Chemical", spans))
    assert "aspirin" not in str(caught.value)


def test_a_name_without_a_place_that_stands_nowhere_is_left_out(mini: BioGPT) -> None:
    assert given(mini, NamedEntity("aspirin", "Chemical"), NamedEntity(" ", "Chemical")).token_ids == ()


def test_an_annotation_may_have_only_its_place(mini: BioGPT) -> None:
    assert names(mini, given(mini, NamedEntity("", "", (span("asparaginase"),)))) == ["asparaginase"]


def test_the_first_of_several_mentions_counts_and_any_of_their_ids(mini: BioGPT) -> None:
    text = "Tremor and tremor and TREMOR."
    entities = [NamedEntity("TREMOR", "", ((22, 28),), "D2"), NamedEntity("Tremor", "", ((0, 6),))]
    found = given(mini, *entities, text=text, title="")
    assert found.find("tremor") == Mention((0, 6), "D2")
    assert len(found.token_ids) == 1


def test_a_mention_in_parts_is_generated_by_its_name(mini: BioGPT) -> None:
    text = "Renal and hepatic failure, and hyper- and hypotension."
    full_text = f"{TITLE} {text}"
    shift = len(TITLE) + 1
    parts = (shift, shift + 5), (shift + 18, shift + 25)
    hyper = span("hyper", full_text), span("tension", full_text)
    found = given(
        mini,
        NamedEntity("renal failure", "", parts, "D1"),
        NamedEntity("hypertension", "", hyper, "D3"),
        NamedEntity("", "", ((shift, shift + 5), (shift + 10, shift + 17)), "D9"),
        NamedEntity("liver failure", "", ((shift + 10, shift + 17), (shift + 18, shift + 25)), "D2"),
        text=text,
    )
    assert names(mini, found) == ["renal failure", "hypertension", "renal hepatic", "hepatic failure"]
    assert found.find("renal failure") == Mention((shift, shift + 25), "D1")
    assert full_text[slice(*found.find("hypertension").span)] == "hyper- and hypotension"  # type: ignore[union-attr]


def test_names_that_the_prompt_does_not_hold_are_left_out(mini: BioGPT) -> None:
    document = Document("Aspirin with warfarin.", title="Heparin", entities=(NamedEntity("Heparin", "", ((0, 7),)),))
    prepared = prepare_for(DDI, mini, document)
    assert GivenEntities(mini.tokenizer, prepared, MentionFinder(prepared.source), "").token_ids == ()
    again = Document("Aspirin with heparin.", title="Heparin", entities=document.entities)
    prepared = prepare_for(DDI, mini, again)
    found = GivenEntities(mini.tokenizer, prepared, MentionFinder(prepared.source), "")
    assert found.find("heparin") == Mention((21, 28))


def test_names_of_other_types_are_no_names_of_this_one(mini: BioGPT) -> None:
    assert given(mini, NamedEntity("tremor", "Disease", (span("tremor"),))).token_ids == ()


TEXTS = st.lists(
    st.sampled_from(
        ["ALL", "all", "FK", "506", "β‐carotene", "’s", " ", " ", "  ", "-", ".", "…", "İ", "a\N{SOFT HYPHEN}b", "&"]
    ),
    min_size=1,
    max_size=12,
).map("".join)
PLACES = st.lists(st.tuples(st.integers(-2, 40), st.integers(-2, 45)), max_size=2).map(tuple)


@settings(max_examples=150, deadline=None)
@drawn(text=TEXTS, title=TEXTS | st.just(""), entities=st.lists(st.tuples(TEXTS, PLACES), max_size=3))
def test_whatever_is_named_a_mention_is_in_the_document(
    mini: BioGPT, text: str, title: str, entities: list[tuple[str, tuple[tuple[int, int], ...]]]
) -> None:
    if not (any(map(str.isalnum, text)) and any(map(str.isalnum, title or "x"))):
        return
    try:
        found = given(mini, *(NamedEntity(name, "", spans) for name, spans in entities), text=text, title=title)
    except PromptError:
        return
    full_text = Document(text, title=title).full_text
    for ids in found.token_ids:
        mention = found.find(mini.tokenizer.decode(ids))
        assert mention is not None
        start, end = mention.span
        assert 0 <= start < end <= len(full_text)


BESIDE = "FK 506 and FK506, then fk-506. Atrial fibrillation in a trial."


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("FK 506", "FK 506"), ("FK506", "FK506"), ("fk-506", "fk-506"), ("Fk506", "FK506")),
        *(("a trial", "a trial"), ("in a trial", "in a trial"), ("atrial fibrillation", "Atrial fibrillation")),
    ],
)
@pytest.mark.parametrize("placed", [True, False])
def test_a_spelling_is_found_beside_others(mini: BioGPT, name: str, words: str, placed: bool) -> None:  # noqa: FBT001
    spans = (span(words, BESIDE),) if placed else ()
    found = given(mini, NamedEntity(name, "", spans, "D1"), text=BESIDE, title="")
    assert [found.find(name) for name in names(mini, found)] == [Mention(span(words, BESIDE), "D1")]


def test_two_spellings_are_two_names_with_their_own_ids(mini: BioGPT) -> None:
    entities = [NamedEntity(name, "", (span(name, BESIDE),), name) for name in ("FK506", "FK 506", "fk-506")]
    found = given(mini, *entities, text=BESIDE, title="")
    assert {name: found.find(name) for name in names(mini, found)} == {
        name.lower(): Mention(span(name, BESIDE), name) for name in ("FK506", "FK 506", "fk-506")
    }
