"""What the embedded checkpoint is trained on, and in which forms."""

import random
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "checkpoints" / "mini"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """Imports one of the training's scripts, which stand in a folder of their own."""
    pytest.importorskip("torch")
    sys.path.insert(0, str(SCRIPTS))
    yield import_module
    sys.path.remove(str(SCRIPTS))


def test_names_are_exchanged_in_the_text_and_in_its_relations_alike(scripts: Any) -> None:
    swaps, data = scripts("variants"), scripts("data")
    document = data.Abstract(
        "Valproate (VPA) caused tremor. VPA-induced tremor ended; valproates did not.",
        relations=(("valproate", "tremor"),),
        chemicals=(("valproate", "vpa"),),
        diseases=(("tremor",),),
    )
    names = swaps.Names([data.Abstract("", (), (("lithium",),), (("ataxia",),))])
    drawn = {names.swap(document, random.Random(seed)) for seed in range(40)}  # noqa: S311 -- a repeatable choice
    assert {one.text for one in drawn if one is not document} == {
        "lithium (lithium) caused ataxia. lithium-induced ataxia ended; valproates did not.",
        "lithium (lithium) caused tremor. lithium-induced tremor ended; valproates did not.",
        "valproate (vpa) caused ataxia. vpa-induced ataxia ended; valproates did not.",
    }
    for one in drawn:
        ((chemical, disease),) = one.relations
        assert chemical in one.text.lower()
        assert disease in one.text.lower()


def test_an_excerpt_keeps_the_relations_whose_names_stand_in_it(scripts: Any) -> None:
    variants, data = scripts("variants"), scripts("data")
    text = "Lithium caused tremor. Nothing else happened. Valproate caused ataxia."
    document = data.Abstract(text, (("lithium", "tremor"), ("valproate", "ataxia")))
    for seed in range(40):
        found = variants.excerpt(document, random.Random(seed))  # noqa: S311 -- a repeatable choice
        assert found.text in text
        assert found.relations
        for pair in document.relations:
            assert (pair in found.relations) == all(name in found.text.lower() for name in pair)


def test_a_question_keeps_the_end_of_its_context(scripts: Any) -> None:
    variants, data = scripts("variants"), scripts("data")
    question = data.Question("Why?", "One. Two. Three.", "Four.", "no", shows_conclusion=True)
    found = {variants.shortened(question, random.Random(seed)).context for seed in range(40)}  # noqa: S311 -- likewise
    assert found == {"", "Three.", "Two. Three.", "One. Two. Three."}


def test_the_word_that_answers_has_a_weight_of_its_own(scripts: Any) -> None:
    forms, batches, data = scripts("forms"), scripts("batches"), scripts("data")
    tokenizer = scripts("bpe").Tokenizer.load(SCRIPTS)
    example = forms.task(tokenizer, data.Question("Why?", "One.", "Two.", "maybe"))
    word = tokenizer.encode("maybe")[0]
    assert example.ids[example.label] == word
    weights = batches.make_batch([example], 4.0, 40.0).weights[0].tolist()
    assert [weight for weight in weights if weight == 40.0] == [40.0]
    assert weights[example.label] == 40.0


@pytest.mark.parametrize(
    ("title", "asked", "answer"),
    [
        ("Aspirin reduces fever in rats.", "Does Aspirin reduce fever in rats?", "yes"),
        ("Aspirin does not reduce fever.", "Does Aspirin reduce fever?", "no"),
        ("Fever is not caused by aspirin.", "Is Fever caused by aspirin?", "no"),
        ("Is fever caused by aspirin?", None, None),
        ("Aspirin and fever.", None, None),
    ],
)
def test_a_title_that_states_a_finding_becomes_its_question(
    scripts: Any, title: str, asked: str | None, answer: str | None
) -> None:
    article = scripts("texts").Article(title, f"Background. {'A method was used. ' * 30}Fever fell.")
    found = scripts("titles").question(article)
    assert (found and found.question, found and found.answer) == (asked, answer)
    if found:
        assert found.conclusion.endswith("Fever fell.")
        assert f"{found.context} {found.conclusion}" == article.text


def test_every_item_comes_once_before_any_comes_again(scripts: Any) -> None:
    cycle = scripts("batches").Cycle("abcdefgh", "seed")
    rounds = [[cycle.next() for _ in range(8)] for _ in range(3)]
    assert all(sorted(one) == list("abcdefgh") for one in rounds)
    assert len(set(map(tuple, rounds))) == 3
    again = scripts("batches").Cycle("abcdefgh", "seed")
    again.taken = 11
    assert [again.next() for _ in range(5)] == rounds[1][3:]


def test_no_held_out_document_is_trained_on(scripts: Any, data_folder: Path) -> None:
    if not (data_folder / "text").is_dir():
        pytest.skip("BIOGPT_DATA has no folder `text`")
    corpus, texts = scripts("data").load_corpus(data_folder), scripts("texts").load_texts(data_folder / "text")
    material = scripts("material").collect(corpus.train, texts, 1)
    shown = [*material.texts, *(document.text for document in (*material.relations, *material.looser_relations))]
    shown += [item.context for item in (*material.questions, *material.looser_questions)]
    held_out = [document.text for document in corpus.held_out.abstracts]
    held_out += [item.context for item in corpus.held_out.questions]
    assert len(held_out) == 150
    unseen = [set(_pieces(text)) for text in held_out]
    looked_for = set().union(*unseen)
    seen = {piece for text in shown for piece in _pieces(text) if piece in looked_for}
    # Some phrases of thirteen words are anybody's.
    for text, pieces in zip(held_out, unseen, strict=True):
        assert len(pieces & seen) <= len(pieces) // 10, text[:80]


def _pieces(text: str) -> list[str]:
    """Every run of 13 words of a text."""
    words = text.lower().split()
    return [" ".join(words[start : start + 13]) for start in range(len(words) - 12)]
