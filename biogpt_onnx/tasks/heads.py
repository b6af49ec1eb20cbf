"""Tasks of bundles with a classification head, and embeddings: documents in, labels or vectors out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from biogpt_onnx.runtime.bundle.classification_head import HeadKind
from biogpt_onnx.runtime.classification.entities import AggregationStrategy
from biogpt_onnx.runtime.classification.results import EntitySpan, TokenTag
from biogpt_onnx.runtime.embedding import Pooling
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.result_base import plain_data
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.source import Source, full_text
from biogpt_onnx.tasks.results import TaskResult

HeadCommand = Literal["classify", "tag", "embed"]
"""The commands of these tasks."""

_NEEDED: Mapping[HeadCommand, HeadKind] = {"classify": "sequence-classification", "tag": "token-classification"}


@dataclass(frozen=True, repr=False)
class LabelledText(TaskResult, shown=("label", "probabilities", "values")):
    """The classes of one document; see `TextClassification`.

    Attributes:
        label: Most probable label; None of a regression.
        labels: Labels that hold, the most probable first; empty of a regression.
        probabilities: Probability of each label; empty of a regression.
        values: Logit of each label; of a regression the number that the model predicts.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
    """

    label: str | None
    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    values: Mapping[str, float]
    read: int

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a row for each label; a regression has no probability."""
        return [
            {
                "label": label,
                "probability": plain_data(self.probabilities.get(label)),
                "value": plain_data(value),
                "chosen": label in self.labels,
            }
            for label, value in self.values.items()
        ]


@dataclass(frozen=True, repr=False)
class TaggedText(TaskResult, shown=("entities", "tokens")):
    """The tokens' labels of one document, and its entities; spans index the document's full text.

    Attributes:
        entities: Entities in order.
        tokens: Tokens in order.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
    """

    entities: tuple[EntitySpan, ...]
    tokens: tuple[TokenTag, ...]
    read: int

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a row for each entity."""
        return [entity.to_dict() for entity in self.entities]


@dataclass(frozen=True, repr=False)
class EmbeddedText(TaskResult, shown=("embedding",)):
    """The embedding of one document.

    Attributes:
        embedding: Numbers of the vector, [hidden], each the shortest decimal that is the float32 number.
        read: Number of characters of the document's full text that the model read; smaller than its length if the
            document was cut.
    """

    embedding: tuple[float, ...]
    read: int

    def _rows(self) -> list[dict[str, Any]]:
        """Returns a single row, in which the vector is a list."""
        return [{"embedding": plain_data(self.embedding), "read": self.read}]


@dataclass(frozen=True)
class TextClassificationTask:
    """Classification of title and text by a bundle's sequence classifier.

    Attributes:
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        labels: Labels of the bundle, which tell its results from those of another.
        name: Name of the task.
        soft_prompt_size: 0, because nothing stands behind the text.
        least_new_tokens: 0, because nothing is generated.
    """

    normalize_punctuation: bool = False
    labels: tuple[str, ...] = ()
    name: ClassVar[str] = "classify"
    soft_prompt_size: ClassVar[int | None] = 0
    least_new_tokens: ClassVar[int] = 0

    def source(self, document: Document) -> Source:
        """Returns title and text as the document has them."""
        return full_text(document)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[LabelledText]:  # noqa: ARG002 -- nothing is generated
        """Classifies each document by itself."""
        texts = [one.source.text for one in prepared]
        found = model.classify_texts(texts, normalize_punctuation=self.normalize_punctuation)
        return [
            LabelledText(each.label, each.labels, each.probabilities, each.values, one.read, usage=one.usage())
            for one, each in zip(prepared, found, strict=True)
        ]


@dataclass(frozen=True)
class TaggingTask:
    """Labels of the tokens of title and text, and their entities, by a bundle's token classifier.

    Attributes:
        aggregation_strategy: Way to join the tokens of a word.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        labels: Labels of the bundle, which tell its results from those of another.
        name: Name of the task.
        soft_prompt_size: 0, because nothing stands behind the text.
        least_new_tokens: 0, because nothing is generated.
    """

    aggregation_strategy: AggregationStrategy = "first"
    normalize_punctuation: bool = False
    labels: tuple[str, ...] = ()
    name: ClassVar[str] = "tag"
    soft_prompt_size: ClassVar[int | None] = 0
    least_new_tokens: ClassVar[int] = 0

    @property
    def config(self) -> str:
        """Setting that determines the results, for the identity of an unfinished run."""
        return self.aggregation_strategy

    def source(self, document: Document) -> Source:
        """Returns title and text as the document has them."""
        return full_text(document)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[TaggedText]:  # noqa: ARG002 -- nothing is generated
        """Tags each document by itself."""
        found = model.tag_tokens(
            [one.source.text for one in prepared],
            aggregation_strategy=self.aggregation_strategy,
            normalize_punctuation=self.normalize_punctuation,
        )
        # The source is the beginning of the full text, so that its spans are those of the full text.
        return [
            TaggedText(each.entities, each.tokens, one.read, usage=one.usage())
            for one, each in zip(prepared, found, strict=True)
        ]


@dataclass(frozen=True)
class EmbeddingTask:
    """Embeddings of title and text by any bundle.

    Attributes:
        pooling: Way to make one vector of a text's hidden states.
        normalize: Divides each vector by its Euclidean norm.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        name: Name of the task.
        soft_prompt_size: 0, because nothing stands behind the text.
        least_new_tokens: 0, because nothing is generated.
    """

    pooling: Pooling = "mean"
    normalize: bool = False
    normalize_punctuation: bool = False
    name: ClassVar[str] = "embed"
    soft_prompt_size: ClassVar[int | None] = 0
    least_new_tokens: ClassVar[int] = 0

    @property
    def config(self) -> tuple[str, bool]:
        """Settings that determine the results, for the identity of an unfinished run."""
        return self.pooling, self.normalize

    def source(self, document: Document) -> Source:
        """Returns title and text as the document has them."""
        return full_text(document)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[EmbeddedText]:  # noqa: ARG002 -- nothing is generated
        """Embeds each document by itself."""
        vectors = model.embed(
            [one.source.text for one in prepared],
            pooling=self.pooling,
            normalize=self.normalize,
            normalize_punctuation=self.normalize_punctuation,
        )
        return [
            EmbeddedText(tuple(map(_shortest, vector)), one.read, usage=one.usage())
            for one, vector in zip(prepared, vectors, strict=True)
        ]


def check_head(model: BioGPT, command: HeadCommand) -> None:
    """Refuses a bundle that lacks what a task of this module needs.

    Raises:
        ConfigError: the bundle has no classification head, or one of another kind, or its device does not compute
            hidden states.
        BundleError: an earlier version wrote the bundle, whose graph has no output for hidden states.
    """
    if command == "embed":
        model.embed("a")
        return
    needed, head = _NEEDED[command], model.manifest.head
    if head is None:
        raise ConfigError(f"the bundle is a language model without a {needed} head: export a checkpoint that has one")
    if head.kind != needed:
        other = next(name for name, kind in _NEEDED.items() if kind == head.kind)
        raise ConfigError(f"the bundle has a {head.kind} head, not one for {needed}: use the command {other}")


def _shortest(number: np.float32) -> float:
    return float(str(number))
