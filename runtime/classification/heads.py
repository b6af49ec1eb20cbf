"""Answers of a classification head: logits to labels with probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import logits_by_chunk
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.classification.entities import AggregationStrategy, entities_of
from biogpt_onnx.runtime.classification.results import TextClassification, TokenTag, TokenTags
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]

_HOLDS = 0.5
"""Probability from which a label of a multi-label head holds."""


def label_logits(backend: Backend[Any], head: ClassificationHead, ids: Sequence[int]) -> Logits:
    """Returns the logits of a text's labels, [rows, labels], which are those of transformers' classes.

    A sequence classifier has one row, at the last token that is not `pad_token_id`; a token classifier one for each
    token behind `</s>`.

    Args:
        backend: device that runs the bundle.
        head: head of the bundle.
        ids: `</s>` and the text's tokens, at most the model's positions.
    """
    # No token attends to those after it.
    is_sequence = head.kind == "sequence-classification"
    read = ids[: _last_token(ids, head.pad_token_id) + 1] if is_sequence else ids
    first = len(read) - 1 if is_sequence else 1
    return np.concatenate(list(logits_by_chunk(backend, read, backend.new_cache(1, len(read)), first=first)))


def label_probabilities(head: ClassificationHead, logits: Logits) -> Probabilities:
    """Returns the probabilities of labels [rows, labels], in double precision; of a regression the numbers themselves.

    Args:
        head: head whose problem type says what the logits mean.
        logits: [rows, labels].
    """
    values = logits.astype(np.float64)
    if head.problem_type == "single_label_classification":
        weights: Probabilities = np.exp(values - values.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return weights
    # This form of the sigmoid does not overflow for large negative logits.
    return values if head.problem_type == "regression" else 0.5 * (1 + np.tanh(0.5 * values))


def classify(head: ClassificationHead, logits: Logits, dropped_tokens: int = 0) -> TextClassification:
    """Returns the classification of a text.

    Args:
        head: sequence classifier.
        logits: logits of the text's labels, [1, labels].
        dropped_tokens: number of the text's tokens that were not read.
    """
    values = dict(zip(head.labels, logits[0].tolist(), strict=True))
    if head.problem_type == "regression":
        return TextClassification(None, (), {}, values, dropped_tokens)
    probabilities = label_probabilities(head, logits)[0].tolist()
    order = sorted(range(head.num_labels), key=lambda number: -probabilities[number])
    is_single = head.problem_type == "single_label_classification"
    holding = order[:1] if is_single else [number for number in order if probabilities[number] >= _HOLDS]
    return TextClassification(
        label=head.labels[order[0]],
        labels=tuple(head.labels[number] for number in holding),
        probabilities=dict(zip(head.labels, probabilities, strict=True)),
        values=values,
        dropped_tokens=dropped_tokens,
    )


def tag(
    head: ClassificationHead,
    text: str,
    tokens: Sequence[TokenSpan],
    logits: Logits,
    strategy: AggregationStrategy,
) -> TokenTags:
    """Returns the labels of a text's tokens, and the entities that they make.

    Args:
        head: token classifier.
        text: text.
        tokens: all tokens of the text.
        logits: logits of the labels of the tokens that were read, the first of all, [read, labels].
        strategy: way to join tokens to words.
    """
    read = tokens[: len(logits)]
    probabilities = label_probabilities(head, logits)
    best = probabilities.argmax(axis=1).tolist()
    tags = [
        TokenTag(text[token.start : token.end], token.start, token.end, head.labels[number], float(row[number]))
        for token, row, number in zip(read, probabilities, best, strict=True)
    ]
    entities = entities_of(text, read, probabilities, head.labels, strategy)
    return TokenTags(tuple(tags), entities, len(tokens) - len(read))


def _last_token(ids: Sequence[int], pad_token_id: int | None) -> int:
    """Returns the place of the last token that is no padding; 0 if all are, as in transformers."""
    places = (place for place in range(len(ids) - 1, -1, -1) if ids[place] != pad_token_id)
    return len(ids) - 1 if pad_token_id is None else next(places, 0)
