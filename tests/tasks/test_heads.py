"""Tasks of classifiers and embeddings: what the model is asked, and which bundles are refused."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from biogpt_onnx import ConfigError, Usage
from biogpt_onnx.tasks import Document
from biogpt_onnx.tasks.bundle_check import check_bundle
from biogpt_onnx.tasks.heads import (
    EmbeddingTask,
    HeadCommand,
    LabelledText,
    TaggedText,
    TaggingTask,
    TextClassificationTask,
    check_head,
)

DOCUMENT = Document("It was seen.", title="Tremor.")
USAGE = Usage(7, 0)


def prepared(task: Any, *documents: Document) -> list[Any]:
    return [
        SimpleNamespace(source=task.source(each), read=len(each.full_text), usage=lambda: USAGE) for each in documents
    ]


class Asked:
    """A model that answers each text by the same result, and keeps what it was asked."""

    def __init__(self, result: object) -> None:
        self._result = result
        self.texts: list[str] = []
        self.settings: dict[str, object] = {}

    def _answer(self, texts: list[str], **settings: object) -> list[object]:
        self.texts, self.settings = texts, settings
        return [self._result for _ in texts]

    classify_texts = tag_tokens = embed = _answer


def test_title_and_text_are_classified_as_the_document_has_them() -> None:
    model = Asked(SimpleNamespace(label="a", labels=("a",), probabilities={"a": 1.0}, values={"a": 2.0}))
    task = TextClassificationTask(normalize_punctuation=True)
    found = task.answer(model, prepared(task, DOCUMENT, Document("B")))  # type: ignore[arg-type] # a fake
    assert model.texts == ["Tremor. It was seen.", "B"]
    assert model.settings == {"normalize_punctuation": True}
    assert found[0] == LabelledText("a", ("a",), {"a": 1.0}, {"a": 2.0}, 20, usage=USAGE)
    assert [each.read for each in found] == [20, 1]


def test_tokens_are_joined_as_the_task_says() -> None:
    model = Asked(SimpleNamespace(entities=(), tokens=()))
    task = TaggingTask("max")
    assert task.answer(model, prepared(task, DOCUMENT)) == [TaggedText((), (), 20, usage=USAGE)]  # type: ignore[arg-type] # a fake
    assert model.texts == ["Tremor. It was seen."]
    assert model.settings == {"aggregation_strategy": "max", "normalize_punctuation": False}
    # An unfinished run is not continued with another setting.
    assert (TaggingTask("max").config, TaggingTask().config) == ("max", "first")


def test_a_vector_is_the_shortest_decimals_that_are_its_numbers() -> None:
    model = Asked(np.array([0.1, -1.0], np.float32))
    task = EmbeddingTask("last", normalize=True)
    (found,) = task.answer(model, prepared(task, DOCUMENT))  # type: ignore[arg-type] # a fake
    assert (found.embedding, found.usage) == ((0.1, -1.0), USAGE)
    assert model.settings == {"pooling": "last", "normalize": True, "normalize_punctuation": False}
    assert task.config == ("last", True)


def bundle(kind: str | None) -> Any:
    manifest = SimpleNamespace(head=None if kind is None else SimpleNamespace(kind=kind), task=None)
    return SimpleNamespace(manifest=manifest, embed=lambda _: None)


@pytest.mark.parametrize(
    ("kind", "command", "said"),
    [
        (None, "classify", "a language model without a sequence-classification head"),
        (None, "tag", "a language model without a token-classification head"),
        ("token-classification", "classify", "use the command tag"),
        ("sequence-classification", "tag", "use the command classify"),
    ],
)
def test_a_bundle_without_the_head_is_refused_and_the_right_command_named(
    kind: str | None, command: HeadCommand, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_head(bundle(kind), command)


@pytest.mark.parametrize(
    ("kind", "command"), [("token-classification", "tag"), ("sequence-classification", "classify"), (None, "embed")]
)
def test_a_bundle_with_the_head_is_taken(kind: str | None, command: HeadCommand) -> None:
    check_head(bundle(kind), command)


@pytest.mark.parametrize(
    ("kind", "command"), [("sequence-classification", "classify"), ("token-classification", "tag")]
)
def test_a_classifier_generates_no_statements(kind: str, command: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot generate, which bc5cdr needs: use the command {command}"):
        check_bundle(bundle(kind).manifest, "bc5cdr", 9)
