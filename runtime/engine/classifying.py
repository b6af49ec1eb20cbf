"""Classification: labels of texts and of their tokens, by a bundle's classification head."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

from biogpt_onnx.runtime.bulk.answering import one_by_one
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress
from biogpt_onnx.runtime.classification.entities import AggregationStrategy, check_strategy
from biogpt_onnx.runtime.classification.heads import classify, label_logits, tag
from biogpt_onnx.runtime.classification.results import TextClassification, TokenTags
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine.opened import OpenedModel
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.prompt_checks import Truncation, as_text, check_truncation, fit_text
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan


class ClassifyingModel(OpenedModel):
    """A model that labels texts and their tokens."""

    @overload
    def classify_texts(  # type: ignore[overload-overlap]  # a string is an iterable of strings, but here one text
        self,
        texts: str,
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> TextClassification: ...

    @overload
    def classify_texts(
        self,
        texts: Iterable[str],
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[TextClassification]: ...

    @overload
    def classify_texts(
        self,
        texts: Iterable[str],
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[TextClassification | BioGptError]: ...

    def classify_texts(  # noqa: PLR0913 -- the texts, and how they are read
        self,
        texts: str | Iterable[str],
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Classifies one text, or each of several, by the bundle's sequence classifier.

        The logits are those of transformers' `BioGptForSequenceClassification`. Each text is read by itself, so that
        its answer does not depend on the others.

        Args:
            texts: a text, or an iterable of any number of them.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.
            on_error: "raise" to raise the error of a text without a result, "return" to return it instead.
            progress: True to show the progress on a terminal, or a function that takes the number of texts that are
                done and the number of all, None if it is not known.
            cancel: event after which no further text is read; those left have a `CancelledError`.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            ConfigError: the bundle has no sequence classifier, or a bad setting.
        """
        head, backend = self._head("sequence-classification"), self._any_backend
        config = GenerationConfig(special_tokens=special_tokens, normalize_punctuation=normalize_punctuation)
        check_truncation(truncation)

        def read(text: object) -> tuple[tuple[int, ...], int]:
            ids = self._encode(as_text(text), config)
            kept = fit_text(ids, backend.max_positions, truncation)
            return kept, len(ids) - len(kept)

        def classified(ready: tuple[tuple[int, ...], int]) -> TextClassification:
            ids, dropped = ready
            return classify(head, self._in_turn(lambda: label_logits(backend, head, ids)), dropped)

        call = BulkCall[TextClassification]("texts", texts, (str,), on_error=on_error, progress=progress, cancel=cancel)
        found = call.results(one_by_one(read, classified))
        return found[0] if call.is_single else found

    @overload
    def tag_tokens(  # type: ignore[overload-overlap]  # a string is an iterable of strings, but here one text
        self,
        texts: str,
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> TokenTags: ...

    @overload
    def tag_tokens(
        self,
        texts: Iterable[str],
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[TokenTags]: ...

    @overload
    def tag_tokens(
        self,
        texts: Iterable[str],
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[TokenTags | BioGptError]: ...

    def tag_tokens(  # noqa: PLR0913 -- the texts, and how they are read
        self,
        texts: str | Iterable[str],
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Labels the tokens of one text, or of each of several, by the bundle's token classifier.

        The logits are those of transformers' `BioGptForTokenClassification`; `</s>` before the text has no label. Each
        text is read by itself, so that its answer does not depend on the others.

        Args:
            texts: a text, or an iterable of any number of them.
            aggregation_strategy: way to join the tokens of a word, with transformers' names: "first" takes the label of
                its first token, "average" the best of the mean probabilities, "max" that of its most certain token;
                "simple" takes each token for a word.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.
            on_error: "raise" to raise the error of a text without a result, "return" to return it instead.
            progress: True to show the progress on a terminal, or a function that takes the number of texts that are
                done and the number of all, None if it is not known.
            cancel: event after which no further text is read; those left have a `CancelledError`.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            ConfigError: the bundle has no token classifier, or a bad setting.
        """
        head, backend, tokenizer = self._head("token-classification"), self._any_backend, self.tokenizer
        check_strategy(aggregation_strategy)
        check_truncation(truncation)
        checks.flag("normalize_punctuation", normalize_punctuation)

        def read(text: object) -> tuple[str, Sequence[TokenSpan], tuple[int, ...]]:
            tokens = tokenizer.tokenize_with_spans(as_text(text), normalize_punctuation=normalize_punctuation)
            ids = [tokenizer.eos_id, *(tokenizer.symbol_to_id(token.symbol) for token in tokens)]
            return as_text(text), tokens, fit_text(ids, backend.max_positions, truncation)

        def tagged(ready: tuple[str, Sequence[TokenSpan], tuple[int, ...]]) -> TokenTags:
            text, tokens, ids = ready
            logits = self._in_turn(lambda: label_logits(backend, head, ids))
            return tag(head, text, tokens, logits, aggregation_strategy)

        call = BulkCall[TokenTags]("texts", texts, (str,), on_error=on_error, progress=progress, cancel=cancel)
        found = call.results(one_by_one(read, tagged))
        return found[0] if call.is_single else found
