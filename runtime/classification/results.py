"""Results of classification. Spans are (start, end) character offsets into the text, the end excluded."""

from collections.abc import Mapping
from dataclasses import dataclass

from biogpt_onnx.runtime.result_base import Result


@dataclass(frozen=True, repr=False)
class TextClassification(Result, shown=("label", "labels", "probabilities", "values")):
    """The classification of a text.

    Attributes:
        label: most probable label, the first of equally probable ones; None of a regression.
        labels: labels that hold, the most probable first: one of a single-label head; of a multi-label head those of
            probability 0.5 or more; none of a regression.
        probabilities: probability of each label; they add up to 1 for a single-label head, and each lies between 0 and
            1 by itself for a multi-label one. Empty for a regression.
        values: logit of each label; of a regression the number that the model predicts.
        dropped_tokens: number of tokens that were not read because the text is too long.
    """

    label: str | None
    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    values: Mapping[str, float]
    dropped_tokens: int = 0


@dataclass(frozen=True, repr=False)
class TokenTag(Result):
    """The label of one token.

    Attributes:
        text: the text's own characters of the token.
        start: index of its first character in the text.
        end: index behind its last character.
        label: most probable label, the first of equally probable ones.
        probability: probability of the label.
    """

    text: str
    start: int
    end: int
    label: str
    probability: float


@dataclass(frozen=True, repr=False)
class EntitySpan(Result):
    """Tokens next to each other that were tagged as one entity.

    Attributes:
        text: the text's own characters, those between its tokens included.
        start: index of its first character in the text.
        end: index behind its last character.
        type: label of its tokens without "B-" or "I-".
        probability: mean of the probabilities of its words, or of its tokens with the strategy "simple".
    """

    text: str
    start: int
    end: int
    type: str
    probability: float


@dataclass(frozen=True, repr=False)
class TokenTags(Result, shown=("entities", "tokens")):
    """The labels of a text's tokens, and the entities that they make.

    Attributes:
        tokens: the tokens that were read, in order.
        entities: the entities, in order.
        dropped_tokens: number of tokens that were not read because the text is too long.
    """

    tokens: tuple[TokenTag, ...]
    entities: tuple[EntitySpan, ...]
    dropped_tokens: int = 0
