"""Generation: whole continuations of any number of prompts."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Unpack, overload

from biogpt_onnx.runtime.asynchronous import in_thread
from biogpt_onnx.runtime.bulk.answering import Work
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, is_divisible, most_cached_tokens
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress, check_cancel
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.settings import Settings, TokenIds, TokenRows
from biogpt_onnx.runtime.engine.opened import BATCHES_TOGETHER, Encoded, Prompt
from biogpt_onnx.runtime.engine.requests import ReadyPrompt, RequestModel
from biogpt_onnx.runtime.errors import BioGptError
from biogpt_onnx.runtime.prompt_checks import check_ids
from biogpt_onnx.runtime.request_building import Allowed, room_for_new_tokens, seeds
from biogpt_onnx.runtime.results import Generation


class GeneratingModel(RequestModel):
    """A model that continues prompts and returns the whole texts."""

    @overload
    def generate(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
        self,
        prompts: Prompt,
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> Generation: ...

    @overload
    def generate(
        self,
        prompts: Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> list[Generation]: ...

    @overload
    def generate(
        self,
        prompts: Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: OnError,
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> list[Generation | BioGptError]: ...

    def generate(  # noqa: PLR0913 -- what belongs to a call and not to its configuration
        self,
        prompts: Prompt | Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: OnError = "raise",
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> Any:
        """Continues one prompt, or each of several.

        Any number of prompts may be given: they are continued in batches of like length, whose caches have a bounded
        size, and an answer does not depend on the other prompts.

        Args:
            prompts: a text or a prefix, or an iterable of them.
            config: settings of the generation; by default the bundle's own (`manifest.generation`), which are
                `GenerationConfig()` unless the checkpoint's authors chose others.
            prefix: a prefix that was read before; tokens that a prompt shares with its beginning are not computed
                again.
            allowed: constraint on the new text: texts, of which it must be one whole; or a function that takes the new
                token ids so far and returns those that may come next, none to end; or a function for each prompt.
            cancel: event that ends the generation when it is set; the tokens so far are returned.
            on_error: "raise" to raise the error of a prompt that has no answer, "return" to return it in the answer's
                place, so that the others still get theirs.
            progress: True to show the progress on a terminal, or a function that takes the number of prompts that are
                done and the number of all, None if it is not known.
            **settings: fields of the configuration to replace.

        Returns:
            A `Generation`, or a list of them in the order of the prompts.

        Raises:
            PromptError: no prompts, prompts that are not strings, or one longer than the model's positions; the message
                names its index if there are several.
            ConfigError: a bad setting, or rules that exclude every token.
        """
        config = self._configure(config, settings)
        check_cancel(cancel)
        limits = Limits(config.max_time, cancel)
        return self._answer(prompts, config, limits, prefix, allowed, on_error=on_error, progress=progress)

    @overload
    async def agenerate(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
        self,
        prompts: Prompt,
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> Generation: ...

    @overload
    async def agenerate(
        self,
        prompts: Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> list[Generation]: ...

    async def agenerate(
        self,
        prompts: Prompt | Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> Any:
        """Continues one prompt, or each of several, in a thread of its own, while asyncio's other tasks go on.

        Arguments, results and errors are those of `generate`. Cancelling the task ends the generation after the step
        that is being computed; the task ends when nothing is computed any more.
        """
        config = self._configure(config, settings)
        limits = Limits(config.max_time, cancel)
        return await in_thread(lambda: self._answer(prompts, config, limits, prefix, allowed), limits.cancel)

    @overload
    def generate_ids(
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> list[Generation]: ...

    @overload
    def generate_ids(
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: OnError,
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> list[Generation | BioGptError]: ...

    def generate_ids(  # noqa: PLR0913 -- what belongs to a call and not to its configuration
        self,
        prompt_ids: TokenRows | Iterable[TokenIds],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        on_error: OnError = "raise",
        progress: Progress = False,
        **settings: Unpack[Settings],
    ) -> Any:
        """Continues sequences of token ids, each of which should start with `</s>` (2); see `generate`.

        Raises:
            PromptError: no sequences, an empty one, ids outside the vocabulary, or more than the model's positions.
            ConfigError: a bad setting, or rules that exclude every token.
        """
        config = self._configure(config, settings)
        check_cancel(cancel)
        self._check_prefix(prefix)
        call = BulkCall[Generation]("prompts", prompt_ids, on_error=on_error, progress=progress)
        return self._generate(
            call,
            lambda ids: (check_ids(ids, self.tokenizer.vocab_size), prefix),
            config,
            allowed,
            Limits(config.max_time, cancel),
        )

    def _answer(  # noqa: PLR0913 -- what a call of `generate` says
        self,
        prompts: Prompt | Iterable[Prompt],
        config: GenerationConfig,
        limits: Limits,
        prefix: Prefix[Any] | None,
        allowed: Allowed,
        *,
        on_error: OnError = "raise",
        progress: Progress = False,
    ) -> Any:
        self._check_prefix(prefix)
        call = BulkCall[Generation]("prompts", prompts, (str, Prefix), on_error=on_error, progress=progress)
        found = self._generate(
            call, lambda prompt: self._encode_prompt(prompt, config, prefix), config, allowed, limits
        )
        return found[0] if call.is_single else found

    def _generate(
        self,
        call: BulkCall[Generation],
        encode: Callable[[Any], Encoded],
        config: GenerationConfig,
        allowed: Allowed,
        limits: Limits,
    ) -> list[Generation | BioGptError]:
        backend = self._backend
        # A rule or a seed for each prompt needs their number.
        count = call.hold() if isinstance(allowed, list | tuple) or isinstance(config.seed, tuple) else 1
        rules, numbers = self._rules(allowed, count, config), seeds(config, count)
        rows = config.num_return_sequences if config.do_sample else config.num_beams

        def ready(index: int, prompt: object) -> ReadyPrompt:
            own = index if count > 1 else 0
            return self._ready(encode, prompt, config, rules[own], numbers[own])

        def answer(batch: Sequence[ReadyPrompt]) -> list[Generation]:
            requests = [self._request(one, config) for one in batch]
            for _ in self._search(requests, config, limits):
                pass
            seconds = sum(one.seconds for one in batch)
            return [self._built(each, config, seconds) for each in requests]

        def size(one: ReadyPrompt) -> Size:
            length = len(one.ids)
            return Size(length, rows * (length + room_for_new_tokens(one.ids, backend.max_positions, config)))

        work = Work[Any, ReadyPrompt, Generation](
            ready,
            size=size,
            answer=answer,
            limits=BatchLimits(
                max(1, BATCHES_TOGETHER * backend.default_batch_size // rows), most_cached_tokens(self.manifest)
            ),
            is_divisible=is_divisible(self.manifest, self.device),
        )
        return call.results(work)
