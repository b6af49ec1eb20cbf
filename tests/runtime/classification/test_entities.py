from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import ConfigError
from biogpt_onnx.runtime.classification.entities import AggregationStrategy, check_strategy, entities_of
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan

LABELS = ("O", "B-Drug", "I-Drug", "I-Sign", "Dose")
STRATEGIES: tuple[AggregationStrategy, ...] = ("first", "average", "max", "simple")


def tokens_of(words: str) -> tuple[str, list[TokenSpan]]:
    """A text of words whose tokens are divided by "|", with the tokens' spans."""
    text, spans, place = words.replace("|", ""), [], 0
    for number, word in enumerate(words.split(" ")):
        for part in word.split("|"):
            spans.append(TokenSpan(part, place, place + len(part), number))
            place += len(part)
        place += 1
    return text, spans


def rows(*labels: str) -> npt.NDArray[np.float64]:
    """Probabilities of which 0.8 is of these labels."""
    return np.array([[0.8 if name == label else 0.05 for name in LABELS] for label in labels])


def found(words: str, *labels: str, strategy: AggregationStrategy = "first") -> list[tuple[str, str]]:
    text, spans = tokens_of(words)
    return [(one.text, one.type) for one in entities_of(text, spans, rows(*labels), LABELS, strategy)]


@pytest.mark.parametrize(
    ("words", "labels", "expected"),
    [
        ("no drug", ["O", "O"], []),
        ("lith|ium carbonate helped", ["B-Drug", "O", "I-Drug", "O"], [("lithium carbonate", "Drug")]),
        ("lithium aspirin", ["B-Drug", "B-Drug"], [("lithium", "Drug"), ("aspirin", "Drug")]),
        ("lithium tremor", ["I-Drug", "I-Sign"], [("lithium", "Drug"), ("tremor", "Sign")]),
        ("5 mg of 5 mg", ["Dose", "Dose", "O", "Dose", "Dose"], [("5 mg", "Dose"), ("5 mg", "Dose")]),
        ("lithium , carbonate", ["B-Drug", "O", "I-Drug"], [("lithium", "Drug"), ("carbonate", "Drug")]),
    ],
)
def test_words_next_to_each_other_of_one_type_are_an_entity(
    words: str, labels: list[str], expected: list[tuple[str, str]]
) -> None:
    assert found(words, *labels) == expected


def test_a_words_first_token_decides_unless_each_token_is_a_word() -> None:
    assert found("lith|ium", "B-Drug", "O") == [("lithium", "Drug")]
    assert found("lith|ium", "O", "B-Drug") == []
    assert found("lith|ium", "O", "B-Drug", strategy="simple") == [("ium", "Drug")]


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ConfigError, match="aggregation_strategy is 'last': choose one of first, average, max, simple"):
        check_strategy("last")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_entities_are_those_of_transformers_pipeline(strategy: AggregationStrategy) -> None:
    pipelines = pytest.importorskip("transformers.pipelines.token_classification")
    generator = np.random.default_rng(0)
    for _ in range(60):
        words = " ".join("|".join("abc"[: generator.integers(1, 4)]) for _ in range(generator.integers(1, 9)))
        text, spans = tokens_of(words)
        probabilities = generator.dirichlet(np.full(len(LABELS), 0.4), size=len(spans))
        ours = entities_of(text, spans, probabilities, LABELS, strategy)
        theirs = transformers_entities(pipelines, spans, probabilities, strategy)
        assert [(one.type, one.start, one.end) for one in ours] == [
            (one["entity_group"], one["start"], one["end"]) for one in theirs
        ]
        assert np.allclose([one.probability for one in ours], [one["score"] for one in theirs])
        assert all(one.text == text[one.start : one.end] for one in ours)


def transformers_entities(pipelines: Any, spans: list[TokenSpan], scores: Any, strategy: str) -> list[dict[str, Any]]:
    pipeline = object.__new__(pipelines.TokenClassificationPipeline)

    class Tokenizer:
        def convert_ids_to_tokens(self, ids: Any) -> str:
            return str(ids)

        def convert_tokens_to_string(self, tokens: list[str]) -> str:
            return " ".join(tokens)

    pipeline.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(LABELS))))
    pipeline.tokenizer = Tokenizer()
    given = [
        {
            "word": span.symbol,
            "scores": row,
            "start": span.start,
            "end": span.end,
            "index": number,
            "is_subword": number > 0 and spans[number - 1].word == span.word,
        }
        for number, (span, row) in enumerate(zip(spans, scores, strict=True))
    ]
    grouped = pipeline.aggregate(given, pipelines.AggregationStrategy(strategy))
    return [one for one in grouped if one["entity_group"] != "O"]
