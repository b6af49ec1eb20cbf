"""Scoring: the log-probabilities of given texts and tokens, and the logits of all others."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.backends.chunks import logits_by_chunk
from biogpt_onnx.runtime.bulk.answering import one_by_one
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress
from biogpt_onnx.runtime.decoding.config import GenerationConfig, check_logprobs
from biogpt_onnx.runtime.decoding.plain_values import Array
from biogpt_onnx.runtime.decoding.settings import TokenIds, TokenRows, WholeNumber
from biogpt_onnx.runtime.engine.opened import OpenedModel, Prompt
from biogpt_onnx.runtime.errors import BioGptError, PromptError
from biogpt_onnx.runtime.prompt_checks import as_text, check_ids, fit, is_row
from biogpt_onnx.runtime.results import Score
from biogpt_onnx.runtime.token_logprobs import decoded_spans, score_tokens, text_spans

_SCORE_IN_PARTS = "score it in parts, each behind the end of the one before as its prompt"


class ScoringModel(OpenedModel):
    """A model that says how likely the tokens of given texts are."""

    @overload
    def score(  # type: ignore[overload-overlap]  # a string is an iterable of strings, but here one text
        self,
        text: str,
        *,
        prompt: Prompt = "",
        logprobs: int | None = 0,
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Score: ...

    @overload
    def score(
        self,
        text: Iterable[str],
        *,
        prompt: Prompt = "",
        logprobs: int | None = 0,
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Score]: ...

    @overload
    def score(
        self,
        text: Iterable[str],
        *,
        prompt: Prompt = "",
        logprobs: int | None = 0,
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Score | BioGptError]: ...

    def score(  # noqa: PLR0913 -- the texts, and how they are read
        self,
        text: str | Iterable[str],
        *,
        prompt: Prompt = "",
        logprobs: int | None = 0,
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Scores a text, or each of any number, by its tokens' log-probabilities, by itself or behind a prompt.

        Args:
            text: text to score, or an iterable of texts.
            prompt: text or prefix before each, whose own tokens are not scored.
            logprobs: number of most probable tokens that the result holds for the place of each token, with their
                log-probabilities by the model; see `Score.logprobs`. 0 or None for none.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.
            on_error: "raise" to raise the error of a text without a score, "return" to return it in the score's place.
            progress: True to show the progress on a terminal, or a function that takes the number of texts that are
                done and the number of all, None if it is not known.
            cancel: event after which no further text is scored; those left have a `CancelledError`.

        Returns:
            A `Score`; a list of them, in order, for several texts.

        Raises:
            PromptError: a text is not a string, has no tokens, or has more than the model's positions; the message
                names its index if there are several.
            ConfigError: `logprobs` is no whole number of 0 or more, or larger than the vocabulary.
        """
        config = GenerationConfig(
            special_tokens=special_tokens,
            normalize_punctuation=normalize_punctuation,
            logprobs=check_logprobs(logprobs, self.tokenizer.vocab_size),
        )
        backend, before = self._backend, self._encode_whole(prompt, config, None, "shorten the prompt")

        def targets(one: object) -> tuple[str, tuple[int, ...]]:
            read = as_text(one)
            ids = tuple(self._encode(read, config)[1:])
            if not ids:
                raise PromptError("the text is empty: there is nothing to score")
            fit((*before[0], *ids), backend.max_positions, config, _SCORE_IN_PARTS, "the text with its prompt")
            return read, ids

        def scored(ready: tuple[str, tuple[int, ...]]) -> Score:
            read, ids = ready
            spans, count = partial(text_spans, self.tokenizer, read, config), config.logprobs or 0
            return self._in_turn(lambda: score_tokens(backend, self.tokenizer, before, ids, spans, count))

        call = BulkCall[Score]("texts", text, (str,), on_error=on_error, progress=progress, cancel=cancel)
        found = call.results(one_by_one(targets, scored))
        return found[0] if call.is_single else found

    @overload
    def score_ids(
        self,
        token_ids: Sequence[WholeNumber],
        *,
        logprobs: int | None = 0,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Score: ...

    @overload
    def score_ids(
        self,
        token_ids: Iterable[TokenIds],
        *,
        logprobs: int | None = 0,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Score]: ...

    @overload
    def score_ids(
        self,
        token_ids: Iterable[TokenIds],
        *,
        logprobs: int | None = 0,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Score | BioGptError]: ...

    @overload
    def score_ids(
        self,
        token_ids: Array,
        *,
        logprobs: int | None = 0,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any: ...

    def score_ids(
        self,
        token_ids: TokenIds | TokenRows | Iterable[TokenIds],
        *,
        logprobs: int | None = 0,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Scores a row of token ids, or each of any number, by the log-probability of each id given those before it.

        The first id of a row, which should be that of `</s>` (2), is read and not scored.

        Args:
            token_ids: a row of ids, or an iterable of rows of any lengths.
            logprobs: number of most probable tokens that the result holds for the place of each token, whose `span` is
                that in `tokenizer.decode(row)`; see `Score.logprobs`. 0 or None for none.
            on_error: "raise" to raise the error of a row without a score, "return" to return it in the score's place.
            progress: True to show the progress on a terminal, or a function that takes the number of rows that are done
                and the number of all, None if it is not known.
            cancel: event after which no further row is scored; those left have a `CancelledError`.

        Returns:
            A `Score`; a list of them, in order, for several rows.

        Raises:
            PromptError: no rows, one of fewer than two ids or of more than the model's positions, or ids outside the
                vocabulary; the message names its index if there are several.
            ConfigError: `logprobs` is no whole number of 0 or more, or larger than the vocabulary.
        """
        backend, count = self._backend, check_logprobs(logprobs, self.tokenizer.vocab_size)

        def read(row: object) -> tuple[int, ...]:
            ids = check_ids(row, self.tokenizer.vocab_size)
            if len(ids) == 1:
                raise PromptError("a sequence of token ids holds one id, which is only read: give at least two")
            advice, what = "give fewer tokens", "a sequence of token ids"
            return fit(ids, backend.max_positions, GenerationConfig(), advice, what)

        def scored(ids: tuple[int, ...]) -> Score:
            def spans() -> list[tuple[int, int]]:
                return decoded_spans(self.tokenizer, ids)[1:]

            return self._in_turn(lambda: score_tokens(backend, self.tokenizer, (ids[:1], None), ids[1:], spans, count))

        is_single = is_row(token_ids)
        rows = [token_ids] if is_single else token_ids
        call = BulkCall[Score]("token_ids", rows, on_error=on_error, progress=progress, cancel=cancel)
        found = call.results(one_by_one(read, scored))
        return found[0] if is_single else found

    def logits(self, token_ids: TokenIds) -> npt.NDArray[np.float32]:
        """Returns the logits after each token of a sequence, [len(token_ids), vocab].

        Raises:
            PromptError: ids outside the vocabulary, or more than the model's positions.
        """
        ids = check_ids(token_ids, self.tokenizer.vocab_size)
        ids = fit(ids, self._backend.max_positions, GenerationConfig(), "give fewer tokens")
        backend = self._backend
        return self._in_turn(
            lambda: np.concatenate(list(logits_by_chunk(backend, ids, backend.new_cache(1, len(ids)))))
        )
