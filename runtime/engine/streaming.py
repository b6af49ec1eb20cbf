"""Streaming: continuations that are yielded while they are generated."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Any, Unpack, overload

from biogpt_onnx.runtime.asynchronous import AsyncBatchStream, AsyncTextStream
from biogpt_onnx.runtime.bulk.call import iterable_of, named
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.settings import Settings, TokenIds
from biogpt_onnx.runtime.engine.opened import Encoded, Prompt
from biogpt_onnx.runtime.engine.requests import RequestModel
from biogpt_onnx.runtime.errors import BioGptError, ConfigError, PromptError
from biogpt_onnx.runtime.prompt_checks import as_ids, check_ids
from biogpt_onnx.runtime.request_building import Allowed, seeds
from biogpt_onnx.runtime.stream import BatchStream, PieceStream, TextStream
from biogpt_onnx.runtime.streamed_sequences import streamed_prompt


class StreamingModel(RequestModel):
    """A model that continues prompts and yields the texts piece by piece."""

    @overload
    def stream(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> TextStream: ...

    @overload
    def stream(
        self,
        prompt: Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> BatchStream: ...

    def stream(
        self,
        prompt: Prompt | Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> TextStream | BatchStream:
        """Continues one prompt, or each of several, and yields text as soon as no later token can change it.

        The pieces together are the text that `generate` gives. Settings and errors are those of `generate`; errors are
        raised at the call, not at the first piece. Closing the stream ends the generation; the stream's `generation`
        then holds the text so far.

        Returns:
            For one prompt the pieces of its text, for several pairs of a prompt's index and a piece of its text.
        """
        return self._streamed(prompt, self._configure(config, settings), prefix, allowed, cancel)

    def stream_pieces(
        self,
        prompts: Iterable[Prompt | TokenIds],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> PieceStream:
        """Continues prompts, and yields the new text of every sequence with its tokens, for programs that pass it on.

        Settings and errors are those of `generate`; errors are raised at the call, not at the first piece. With
        `num_return_sequences` each sequence has pieces of its own: beams best first, samples as they are drawn. With
        `logprobs` a piece holds the tokens whose characters have become certain, as its text does.

        Args:
            prompts: texts, prefixes and rows of token ids, which may stand side by side; a row is continued as it is,
                and should start with `</s>` (2).
            config: settings of the generation; by default the bundle's own.
            prefix: a prefix that was read before, which prompts may begin with.
            allowed: constraint on the new text, see `generate`.
            cancel: event that ends the generation when it is set.
            **settings: fields of the configuration to replace.

        Returns:
            The pieces: one for each sequence after each pass of the model that gave it a token, its text empty where no
            more of it is certain. Closing the stream ends the generation.
        """
        config = self._configure(config, settings)

        def encode(prompt: object) -> Encoded:
            if isinstance(prompt, str | Prefix):
                return self._encode_prompt(prompt, config, prefix)
            return check_ids(as_ids(prompt), self.tokenizer.vocab_size), prefix

        return self._pieces(iterable_of("prompts", prompts), encode, config, prefix, allowed, cancel)

    @overload
    def astream(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> AsyncTextStream: ...

    @overload
    def astream(
        self,
        prompt: Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> AsyncBatchStream: ...

    def astream(
        self,
        prompt: Prompt | Iterable[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> AsyncTextStream | AsyncBatchStream:
        """Continues one prompt, or each of several, as a stream for asyncio: `async for piece in model.astream(...)`.

        Arguments and errors are those of `stream`. Each piece is computed in a thread when it is asked for. Cancelling
        the task that waits for it ends the generation after the step that is being computed, and so does `aclose`.

        Returns:
            For one prompt the pieces of its text, for several pairs of a prompt's index and a piece of its text.
        """
        stream = self._streamed(prompt, self._configure(config, settings), prefix, allowed, cancel)
        return AsyncTextStream(stream) if isinstance(stream, TextStream) else AsyncBatchStream(stream)

    def _streamed(
        self,
        prompts: Prompt | Iterable[Prompt],
        config: GenerationConfig,
        prefix: Prefix[Any] | None,
        allowed: Allowed,
        cancel: threading.Event | None,
    ) -> TextStream | BatchStream:
        if config.do_sample and config.num_return_sequences > 1:
            raise ConfigError(
                f"num_return_sequences is {config.num_return_sequences}, but a stream is one text for each prompt: set "
                "it to 1, or use stream_pieces or generate"
            )
        is_single = isinstance(prompts, str | Prefix)
        items = [prompts] if is_single else iterable_of("prompts", prompts)
        pieces = self._pieces(
            items, lambda prompt: self._encode_prompt(prompt, config, prefix), config, prefix, allowed, cancel
        )
        return TextStream(BatchStream(pieces)) if is_single else BatchStream(pieces)

    def _pieces(  # noqa: PLR0913, PLR0917 -- what a call of `stream` says
        self,
        prompts: Iterable[Any],
        encode: Callable[[Any], Encoded],
        config: GenerationConfig,
        prefix: Prefix[Any] | None,
        allowed: Allowed,
        cancel: threading.Event | None,
    ) -> PieceStream:
        start = perf_counter()
        limits = Limits(config.max_time, cancel)
        self._check_prefix(prefix)
        items = list(prompts)
        if not items:
            raise PromptError("the list of prompts is empty: give at least one")
        settled = zip(items, self._rules(allowed, len(items), config), seeds(config, len(items)), strict=True)
        requests = []
        for index, (prompt, rule, seed) in enumerate(settled):
            try:
                requests.append(self._request(self._ready(encode, prompt, config, rule, seed), config))
            except BioGptError as error:
                raise error if len(items) == 1 else named(error, f"prompts[{index}]") from None
        finish = partial(self._built, config=config, tokenize_seconds=perf_counter() - start)
        streamed = [
            streamed_prompt(index, request, self.tokenizer, config, finish) for index, request in enumerate(requests)
        ]
        return PieceStream(self._search(requests, config, limits), streamed, limits)
