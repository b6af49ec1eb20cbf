"""Documents that are longer than the model's positions, read in windows."""

from bisect import bisect_right
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest

from biogpt_onnx import BioGPT, ConfigError, PromptError, tasks
from biogpt_onnx.tasks import (
    BC5CDR,
    DESCRIPTION,
    HOC,
    PUBMEDQA,
    Answer,
    Classification,
    Document,
    NamedEntity,
    Reading,
    Relation,
)
from biogpt_onnx.tasks.prompts.building import Prepared, PromptBuilder
from biogpt_onnx.tasks.prompts.windows import _windows as sentence_windows
from biogpt_onnx.tasks.results import Relations
from makers.scripted import scripted

ENDS = (("valproate", "Chemical"), ("ataxia", "Disease"))
WINDOWS = Reading("windows")
SENTENCES = [f"In case {number} the patient took lithium and had tremor (Fig. 1)." for number in range(60)]
TEXT = " ".join(SENTENCES)


def small(mini: BioGPT, max_positions: int = 200) -> BioGPT:
    return scripted(mini, "the relation between lithium and tremor exists.", max_positions=max_positions)


def windows(model: BioGPT, document: Document) -> list[Prepared]:
    return list(tasks.prompts_for(BC5CDR, model, document, WINDOWS))


def shown(window: Prepared) -> str:
    """The document's own characters that a window holds."""
    places = [place for place in window.source.origins if place is not None]
    return "".join(window.document.full_text[place] for place in places)


def test_a_document_that_fits_is_read_at_once(mini: BioGPT) -> None:
    (window,) = windows(mini, Document(SENTENCES[0], title="A case"))
    assert window == tasks.prepare_for(BC5CDR, mini, Document(SENTENCES[0], title="A case"))


def test_windows_fit_and_together_hold_every_sentence_whole(mini: BioGPT) -> None:
    found = windows(small(mini), Document(TEXT))
    assert len(found) > 10
    assert all(len(window.prompt_ids) <= 200 - BC5CDR.least_new_tokens for window in found)
    assert all(any(sentence in shown(window) for window in found) for sentence in SENTENCES)
    assert found[-1].read == len(TEXT)


def test_neighbouring_windows_share_a_sentence_where_there_is_room(mini: BioGPT) -> None:
    found = [shown(window) for window in windows(small(mini, 400), Document(TEXT))]
    for first, second in pairwise(found):
        assert any(sentence in first and sentence in second for sentence in SENTENCES)


def test_every_window_begins_with_the_title(mini: BioGPT) -> None:
    found = windows(small(mini), Document(TEXT, title="Lithium and tremor"))
    assert len(found) > 1
    assert all(window.source.text.startswith("lithium and tremor. in case") for window in found)


def test_spans_are_in_the_whole_document(mini: BioGPT) -> None:
    document = Document(TEXT, title="Case reports")
    for window in windows(small(mini), document):
        places = zip(window.source.text, window.source.origins, strict=True)
        assert all(document.full_text[place].lower() == character for character, place in places if place is not None)


@pytest.mark.parametrize("text", ["lithium " * 900, "x" * 4000, "Lithium. " + "tremor " * 400 + "end. Lithium."])
def test_texts_without_sentences_are_read_to_their_end(mini: BioGPT, text: str) -> None:
    model = small(mini, 300)
    if " " not in text:
        with pytest.raises(PromptError, match="alone takes more"):
            windows(model, Document(text))
        return
    found = windows(model, Document(text))
    covered = {place for window in found for place in window.source.origins if place is not None}
    assert covered >= {place for place, character in enumerate(text) if not character.isspace()}


def test_a_relation_of_several_windows_is_one_with_all_its_spans(mini: BioGPT) -> None:
    (found,) = tasks.run(BC5CDR, small(mini), [Document(TEXT)], too_long="windows")
    (relation,) = found.relations
    assert (relation.head, relation.tail) == ("lithium", "tremor")
    spans = [(relation.head_span, relation.tail_span), *relation.other_spans]
    assert len(spans) == len(set(spans)) > 10
    assert all(head and tail for head, tail in spans)
    assert {TEXT[slice(*span)] for pair in spans for span in pair if span} == {"lithium", "tremor"}
    assert found.read == len(TEXT)
    assert found.complete


def test_given_entities_are_found_in_the_windows_that_hold_them(mini: BioGPT) -> None:
    text = f"{TEXT} At last the patient took valproate and had ataxia."
    ends = [NamedEntity(name, kind, ((text.index(name), text.index(name) + len(name)),)) for name, kind in ENDS]
    model = scripted(mini, "the relation between valproate and ataxia exists.", max_positions=200)
    (found,) = tasks.run(BC5CDR, model, [Document(text, entities=tuple(ends))], too_long="windows")
    (relation,) = found.relations
    assert (relation.head_span, relation.tail_span) == (ends[0].spans[0], ends[1].spans[0])


def test_a_hundred_thousand_tokens_are_read(mini: BioGPT) -> None:
    text = TEXT * 90
    found = windows(mini, Document(text))
    assert sum(len(window.source_ids) for window in found) > 100_000
    assert found[-1].read == len(text)


def test_the_best_score_of_a_relation_counts() -> None:
    def stated(score: float, start: int) -> Relations:
        relation = Relation("Lithium", "CID", "tremor", (start, start + 7), (start + 9, start + 15), score)
        return Relations((relation,), (), "text", start + 20, complete=start > 0)

    found = BC5CDR.combine([stated(-3.0, 0), stated(-1.0, 50), stated(-2.0, 50)])
    (relation,) = found.relations
    assert (relation.score, relation.head_span, relation.other_spans) == (-1.0, (0, 7), (((50, 57), (59, 65)),))
    assert (found.read, found.complete) == (70, False)


def test_the_most_certain_window_answers() -> None:
    unsure = Answer("yes", {"yes": 0.5, "no": 0.4, "maybe": 0.1}, -0.7, "the answer is yes", 10)
    sure = Answer("no", {"yes": 0.1, "no": 0.8, "maybe": 0.1}, -0.2, "the answer is no", 20)
    found = PUBMEDQA.combine([unsure, sure, unsure])
    assert (found.label, found.probabilities, found.read) == ("no", sure.probabilities, 20)


def test_a_label_of_one_window_is_the_documents() -> None:
    def classified(*labels: str) -> Classification:
        share = {label: 0.9 if label == labels[0] else 0.01 for label in HOC.labels}
        return Classification(labels, share, (), "", 10)

    found = HOC.combine([classified("empty"), classified("resisting cell death"), classified("empty")])
    assert found.labels == ("resisting cell death",)
    assert found.text == "the type of this document is resisting cell death."
    assert HOC.combine([classified("empty"), classified("empty")]).labels == ("empty",)


def test_results_that_cannot_be_combined_are_refused(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match=r"results of description cannot be combined"):
        tasks.run(DESCRIPTION, small(mini), [Document(TEXT)], too_long="windows")


def test_a_sentence_that_does_not_fit_behind_repeated_ones_begins_its_window() -> None:
    text = "A. " * 10 + "B" * 27 + ". C."
    ends: list[int] = [*range(3, 31, 3), 59, len(text)]

    def longest(start: int) -> int:
        """The last end of a sentence within 30 characters."""
        return ends[bisect_right(ends, start + 30) - 1]

    builder = cast("PromptBuilder", SimpleNamespace(document=Document(text), longest=longest))
    found = list(sentence_windows(builder))
    assert found[:2] == [(0, 30), (30, 59)]
    assert found[-1][1] == len(text)
