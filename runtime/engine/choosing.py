"""Choosing: the probabilities of given continuations."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, overload

from biogpt_onnx.runtime.bulk.answering import Work
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, is_divisible, most_cached_tokens
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.settings import TokenIds, TokenRows
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each
from biogpt_onnx.runtime.engine.opened import Encoded, OpenedModel, Prompt
from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from biogpt_onnx.runtime.prompt_checks import check_choices, check_ids
from biogpt_onnx.runtime.results import Choices


class ChoosingModel(OpenedModel):
    """A model that says how likely given continuations are."""

    @overload
    def choose(  # type: ignore[overload-overlap]  # a string is an iterable of strings, but here one prompt
        self,
        prompts: Prompt,
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Choices: ...

    @overload
    def choose(
        self,
        prompts: Iterable[Prompt],
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Choices]: ...

    @overload
    def choose(
        self,
        prompts: Iterable[Prompt],
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Choices | BioGptError]: ...

    def choose(  # noqa: PLR0913 -- the prompts and choices, and how they are scored
        self,
        prompts: Prompt | Iterable[Prompt],
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Scores each of several continuations after a prompt, or after each of any number of prompts.

        A choice is read as words of its own behind the prompt. The prompt is computed once for all choices, and so is
        a beginning that several choices share.

        Args:
            prompts: a text or a prefix, or an iterable of them.
            choices: texts to choose from.
            prefix: a prefix that was read before; tokens that a prompt shares with its beginning are not computed
                again.
            ends: True if the text must end after the choice, by an end token of the model. Otherwise anything may
                follow, so that "no" is at least as likely as "no effect".
            on_error: "raise" to raise the error of a prompt without a result, "return" to return it in the result's
                place.
            progress: True to show the progress on a terminal, or a function that takes the number of prompts that are
                done and the number of all, None if it is not known.
            cancel: event after which no further prompt is scored; those left have a `CancelledError`.

        Returns:
            The choices with their probabilities; a list of them, in order, for several prompts.

        Raises:
            PromptError: a prompt is too long, or not a string; the message names its index if there are several.
            ConfigError: there are no choices, one is empty, or two are the same to the model.
        """
        config = GenerationConfig()
        self._check_prefix(prefix)
        call = BulkCall[Choices]("prompts", prompts, (str, Prefix), on_error=on_error, progress=progress, cancel=cancel)
        found = self._choose(
            call, lambda prompt: self._encode_whole(prompt, config, prefix, "shorten the prompt"), choices, ends=ends
        )
        return found[0] if call.is_single else found

    @overload
    def choose_ids(
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        choices: Sequence[str],
        *,
        ends: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Choices]: ...

    @overload
    def choose_ids(
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        choices: Sequence[str],
        *,
        ends: bool = False,
        on_error: OnError,
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Choices | BioGptError]: ...

    def choose_ids(  # noqa: PLR0913 -- the prompts and choices, and how they are scored
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        choices: Sequence[str],
        *,
        ends: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Scores each of several continuations after sequences of token ids; see `choose`.

        Raises:
            PromptError: no sequences, an empty one, ids outside the vocabulary, or more than the model's positions.
            ConfigError: there are no choices, one is empty, or two are the same to the model.
        """
        call = BulkCall[Choices]("prompts", prompt_ids, on_error=on_error, progress=progress, cancel=cancel)
        return self._choose(call, lambda ids: (check_ids(ids, self.tokenizer.vocab_size), None), choices, ends=ends)

    def _choose(
        self, call: BulkCall[Choices], encode: Callable[[Any], Encoded], choices: Sequence[str], *, ends: bool
    ) -> list[Choices | BioGptError]:
        backend, end_tokens = self._backend, self.manifest.end_token_ids if checks.flag("ends", ends) else ()
        if ends and not end_tokens:
            raise ConfigError("ends is True, but no token ends this model's texts: leave it out")
        token_ids = check_choices("choices", choices, self._continuation_ids)
        room = sum(map(len, token_ids))
        work = Work[Any, Encoded, Choices](
            lambda _, prompt: encode(prompt),
            size=lambda ready: Size(len(ready[0]), len(ready[0]) + room),
            answer=lambda batch: self._in_turn(
                lambda: choices_after_each(backend, batch, choices, token_ids, end_tokens)
            ),
            limits=BatchLimits(backend.num_scored_together, most_cached_tokens(self.manifest)),
            is_divisible=is_divisible(self.manifest, self.device),
        )
        return call.results(work)
