"""The classification head of a bundle: what its logits are of, and how they become probabilities."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

HeadKind = Literal["sequence-classification", "token-classification"]
"""The kinds of heads: one row of logits for a whole text, or one for each token."""

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
"""The kinds of labels, by transformers' names: exactly one of them holds; each may hold by itself; each is a number."""

HEAD_KINDS: tuple[HeadKind, ...] = get_args(HeadKind)
PROBLEM_TYPES: tuple[ProblemType, ...] = get_args(ProblemType)


@dataclass(frozen=True)
class ClassificationHead:
    """A linear layer from hidden states to labels, in the place of the language-model head.

    Attributes:
        kind: "sequence-classification" (transformers' `BioGptForSequenceClassification`), or "token-classification"
            (`BioGptForTokenClassification`).
        labels: name of each label, in the order of the logits.
        problem_type: meaning of the logits; single-label for every token classifier.
        pad_token_id: token after the last of which a sequence classifier reads nothing, as in transformers: the text's
            class is read at the last token that is not this one. None reads it at the last token.

    Raises:
        ValueError: there are no labels, or one has two ids.
    """

    kind: HeadKind
    labels: tuple[str, ...]
    problem_type: ProblemType = "single_label_classification"
    pad_token_id: int | None = None

    def __post_init__(self) -> None:
        """Refuses labels by which results could not be named."""
        if not self.labels:
            raise ValueError("there are no labels")
        label, count = Counter(self.labels).most_common(1)[0]
        if count > 1:
            raise ValueError(f"the label {label!r} has {count} ids")

    @property
    def num_labels(self) -> int:
        """Number of labels, and of the logits of a row."""
        return len(self.labels)

    @property
    def layer(self) -> str:
        """Name of the linear layer, in checkpoints and in the graph."""
        return "score" if self.kind == "sequence-classification" else "classifier"

    @property
    def has_bias(self) -> bool:
        """True if the linear layer has a bias."""
        return self.kind == "token-classification"


def parse_head(fields: Mapping[str, Any] | None) -> ClassificationHead | None:
    """Returns the head that a manifest describes; None for a language model.

    Raises:
        TypeError: the description is malformed.
        KeyError: a field is missing.
    """
    if fields is None:
        return None
    labels, pad_token_id = fields["labels"], fields["pad_token_id"]
    for name, known in (("kind", HEAD_KINDS), ("problem_type", PROBLEM_TYPES)):
        if fields[name] not in known:
            raise TypeError(f"head: {name} is {fields[name]!r}, this biogpt-onnx knows {', '.join(known)}")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TypeError("head: labels is not a list of strings")
    if pad_token_id is not None and type(pad_token_id) is not int:
        raise TypeError("head: pad_token_id is not a whole number")
    try:
        return ClassificationHead(fields["kind"], tuple(labels), fields["problem_type"], pad_token_id)
    except ValueError as error:
        raise TypeError(f"head: {error}") from error
