"""The engine: a loaded bundle that generates, streams, chooses, scores, classifies and embeds text."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeGuard, TypeVar, Unpack, overload

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.asynchronous import AsyncBatchStream, AsyncTextStream, in_thread
from biogpt_onnx.runtime.backends.chunks import logits_by_chunk
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bulk.answering import Work, one_by_one
from biogpt_onnx.runtime.bulk.batches import BatchLimits, Size, most_cached_tokens
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress, check_cancel, iterable_of, named
from biogpt_onnx.runtime.bundle import ClassificationHead, Manifest
from biogpt_onnx.runtime.bundle.classification_head import HeadKind
from biogpt_onnx.runtime.classification.entities import AggregationStrategy, check_strategy
from biogpt_onnx.runtime.classification.heads import classify, label_logits, tag
from biogpt_onnx.runtime.classification.results import TextClassification, TokenTags
from biogpt_onnx.runtime.concurrency.pass_report import OnPass
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.config import MODEL, GenerationConfig, check_logprobs
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.plain_values import Array
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.decoding.settings import Settings, TokenIds, TokenRows, WholeNumber
from biogpt_onnx.runtime.decoding.state import AllowedTokens
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each
from biogpt_onnx.runtime.embedding import HiddenStateReader, Pooling, Vector, check_pooling, pooled
from biogpt_onnx.runtime.errors import CLOSED, BioGptError, ConfigError, ModelClosedError, PromptError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults, default_settings, with_end_tokens
from biogpt_onnx.runtime.prompt_checks import (
    TRUNCATE,
    Truncation,
    as_ids,
    as_prompt,
    as_text,
    check_choices,
    check_ids,
    check_known,
    check_truncation,
    fit,
    fit_text,
    is_row,
)
from biogpt_onnx.runtime.request_building import (
    Allowed,
    allowed_rules,
    build_generation,
    build_request,
    room_for_new_tokens,
    seeds,
)
from biogpt_onnx.runtime.results import Choices, Generation, Score
from biogpt_onnx.runtime.stream import BatchStream, PieceStream, TextStream
from biogpt_onnx.runtime.streamed_sequences import streamed_prompt
from biogpt_onnx.runtime.token_logprobs import decoded_spans, score_tokens, text_spans
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.spans import TokenSpan

if TYPE_CHECKING:
    from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT

T = TypeVar("T")

Prompt = str | Prefix[Any]
"""A text, or a prefix that is itself the prompt."""

_METHODS: dict[HeadKind, str] = {
    "sequence-classification": "classify_texts (command classify)",
    "token-classification": "tag_tokens (command tag)",
}

_BATCHES_TOGETHER = 4
_SCORE_IN_PARTS = "score it in parts, each behind the end of the one before as its prompt"
"""Batches of the default size that one call continues together: a step of more rows costs each of them less."""

_Encoded = tuple[tuple[int, ...], Prefix[Any] | None]


@dataclass(frozen=True)
class _ReadyPrompt:
    """A prompt that is ready to be continued.

    Attributes:
        ids: token ids, within the model's positions.
        prefix: prefix that they may begin with.
        rule: constraint on the new text.
        seed: seed of its samples.
        seconds: time that its conversion to ids took.
        dropped: number of its tokens that were left out because it is too long.
    """

    ids: tuple[int, ...]
    prefix: Prefix[Any] | None
    rule: AllowedTokens | None
    seed: int | None
    seconds: float
    dropped: int


class BioGPT:
    """A loaded bundle, which generates, streams, chooses, scores, classifies and embeds text.

    Calls from several threads are safe. A bundle with a classification head classifies and embeds text; all else needs
    a language-model head, and is a `ConfigError`.

    Leaving a `with` block closes it.

    Attributes:
        tokenizer: tokenizer of the bundle.
        manifest: manifest of the bundle.
    """

    def __init__(
        self,
        backend: Backend[Any],
        tokenizer: BioGptTokenizer,
        manifest: Manifest,
        *,
        name: str = "",
        threads: str = "",
    ) -> None:
        self.tokenizer = tokenizer
        self.manifest = manifest
        self._opened = backend
        self._is_closed = False
        self._defaults = default_settings(manifest)
        self._name, self._threads = name, threads

    def __repr__(self) -> str:
        """Returns a line that names the bundle, its precision, its device and its size."""
        if self._is_closed:
            return f"BioGPT({self._name!r}, closed)"
        threads = [self._threads] if self._threads and self.device == "cpu" else []
        positions = f"{self.manifest.architecture.max_positions:,} positions"
        return f"BioGPT({', '.join([repr(self._name), self.manifest.precision, self.device, *threads, positions])})"

    def __enter__(self) -> Self:
        """Returns the model itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the model."""
        self.close()

    def close(self) -> None:
        """Frees the model's memory; a model that is closed already stays so.

        Passes that are being computed end first. Whatever comes later is a `ModelClosedError`: a new call, the next
        piece of a stream, and the next step of a call in another thread. The tokenizer can still be used.
        """
        self._is_closed = True
        self._opened.close()

    def concurrent(self, max_rows: int = 8, on_pass: OnPass | None = None) -> ConcurrentBioGPT:
        """Returns a model that does the same for callers in many threads, who share its passes.

        Sequences of all callers are continued in one batch, which they join and leave, so that together they take far
        less time than one after the other; a long prompt is read in pieces, between which the others go on. A result is
        to the last bit that of the call alone. Close it, or use it in a `with` block: the model itself stays open.

        Args:
            max_rows: most sequences that are continued at a time; further ones wait. Their key-value caches have room
                for all positions of the model, and take memory as they are filled.
            on_pass: function that is called with a `PassReport` after each pass of the model, in the thread that
                computes them all, which waits for it meanwhile. If it raises an exception, no request ends: the
                exception is handed to `threading.excepthook`, which prints it, and later passes are not reported.

        Raises:
            ConfigError: `max_rows` is no whole number of 1 or more, `on_pass` is no function, the device is no CPU, or
                the bundle has a classification head.
        """
        # The class is one of this one's.
        from biogpt_onnx.runtime.concurrency.model import ConcurrentBioGPT  # noqa: PLC0415 -- see above

        checks.whole_number(1)("max_rows", max_rows)
        if self.device != "cpu":
            raise ConfigError(f"passes are shared on the CPU only so far, the device is {self.device}: load with cpu")
        if on_pass is not None and not callable(on_pass):
            raise ConfigError(f"on_pass is of type {type(on_pass).__name__}: give a function that takes a PassReport")
        return ConcurrentBioGPT(self, max_rows, on_pass)

    @property
    def device(self) -> str:
        """Name of the device that it runs on: "cpu" or "cuda"."""
        return self._opened.device

    @property
    def default_batch_size(self) -> int:
        """Number of prompts that are best continued together on its device."""
        return self._opened.default_batch_size

    @property
    def chooses_together(self) -> bool:
        """True if `choose` scores all prompts of a call in one pass, False if it takes one after the other."""
        return self._opened.scores_prompts_together

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

        def encode(prompt: object) -> _Encoded:
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

    def prefix(
        self,
        text_or_ids: str | TokenIds,
        *,
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> Prefix[Any]:
        """Reads the beginning of prompts once, to be continued any number of times.

        Give it to `generate`, `stream`, `choose` or `score` as the prompt, or as `prefix` beside longer prompts. It
        holds its keys and values in memory as long as it lives. A prompt uses it up to the first token that differs, so
        it should end with a word, and best with a sentence.

        Raises:
            PromptError: ids outside the vocabulary, or more tokens than the model's positions.
        """
        config = GenerationConfig(special_tokens=special_tokens, normalize_punctuation=normalize_punctuation)
        if isinstance(text_or_ids, str):
            ids = tuple(self._encode(text_or_ids, config))
        else:
            ids = check_ids(text_or_ids, self.tokenizer.vocab_size)
        kept = fit(ids, self._backend.max_positions, config, "give a shorter beginning")
        return self._in_turn(lambda: Prefix(self._backend, kept))

    def continuations(
        self, texts: Sequence[str], *, eos_token_id: WholeNumber | TokenIds | Literal["model"] | None = MODEL
    ) -> TokenTrie:
        """Returns a rule for `generate(..., allowed=...)`: the new text must be one of these, and end there.

        Args:
            texts: texts that are allowed.
            eos_token_id: the token that ends a text, or several of which any does; "model" for those of the model;
                None for a text that ends without one.

        Raises:
            ConfigError: there are no texts, or one is empty or has characters that the vocabulary lacks.
        """
        end_tokens = with_end_tokens(GenerationConfig().replace(eos_token_id=eos_token_id), self.manifest).end_token_ids
        endings: list[tuple[int, ...]] = [(token,) for token in end_tokens] or [()]
        if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
            raise ConfigError(f"texts are of type {type(texts).__name__}: give a list of texts")
        rows = [check_choices("allowed", [text], self._continuation_ids)[0] for text in texts]
        check_known("allowed", texts, rows, self.tokenizer.unk_id)
        return TokenTrie((*ids, *ending) for ids in rows for ending in endings)

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

    @overload
    def embed(
        self,
        texts: str | Iterable[str],
        *,
        pooling: Pooling = "mean",
        normalize: bool = False,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["raise"] = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Vector: ...

    @overload
    def embed(
        self,
        texts: Iterable[str],
        *,
        pooling: Pooling = "mean",
        normalize: bool = False,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: Literal["return"],
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> list[Vector | BioGptError]: ...

    def embed(  # noqa: PLR0913 -- the texts, and how they are read
        self,
        texts: str | Iterable[str],
        *,
        pooling: Pooling = "mean",
        normalize: bool = False,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
        on_error: OnError = "raise",
        progress: Progress = False,
        cancel: threading.Event | None = None,
    ) -> Any:
        """Embeds texts by their hidden states behind the last normalization, which are those of `BioGptModel`.

        Each text is read by itself, so that its vector does not depend on the others.

        Args:
            texts: a text, or an iterable of any number of them.
            pooling: "mean" for the mean over all tokens, `</s>` at the beginning included; "last" for the last token,
                the only one that has read the whole text.
            normalize: True to divide each vector by its Euclidean norm.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.
            on_error: "raise" to raise the error of a text without a result, "return" to return it instead.
            progress: True to show the progress on a terminal, or a function that takes the number of texts that are
                done and the number of all, None if it is not known.
            cancel: event after which no further text is read; those left have a `CancelledError`.

        Returns:
            A vector [hidden] for one text, [texts, hidden] for several; with `on_error` "return" a list of a vector or
            an error for each.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            BundleError: an earlier version wrote the bundle, whose graph has no output for hidden states.
            ConfigError: a bad setting, or the device does not compute hidden states.
        """
        check_pooling(pooling)
        check_truncation(truncation)
        checks.flag("normalize", normalize)
        reader = self._any_backend
        if not isinstance(reader, HiddenStateReader):
            raise ConfigError(f"hidden states are computed on the CPU only, the device is {self.device}: load with cpu")
        config = GenerationConfig(special_tokens=special_tokens, normalize_punctuation=normalize_punctuation)

        def read(text: object) -> tuple[int, ...]:
            return fit_text(self._encode(as_text(text), config), reader.max_positions, truncation)

        def vector(ids: tuple[int, ...]) -> Vector:
            return self._in_turn(lambda: pooled(reader, ids, pooling, normalize=normalize))

        call = BulkCall[Vector]("texts", texts, (str,), on_error=on_error, progress=progress, cancel=cancel)
        vectors = call.results(one_by_one(read, vector))
        if call.is_single:
            return vectors[0]
        return vectors if on_error == "return" else np.stack([vector for vector in vectors if _is_vector(vector)])

    @property
    def _any_backend(self) -> Backend[Any]:
        """Backend of a model that was not closed.

        Raises:
            ModelClosedError: the model was closed.
        """
        if self._is_closed:
            raise ModelClosedError(CLOSED)
        return self._opened

    @property
    def _backend(self) -> Backend[Any]:
        """Backend of a language model.

        Raises:
            ModelClosedError: the model was closed.
            ConfigError: the bundle has a classification head instead.
        """
        head = self.manifest.head
        if head is not None:
            raise ConfigError(
                f"the bundle has a {head.kind} head and no language-model head, so it cannot generate or score text: "
                f"use {_METHODS[head.kind]}, or a bundle of a BioGptForCausalLM"
            )
        return self._any_backend

    def _head(self, kind: HeadKind) -> ClassificationHead:
        head = self.manifest.head
        if head is None:
            raise ConfigError(
                f"the bundle is a language model without a {kind} head: export a checkpoint that has one, or use choose"
            )
        if head.kind != kind:
            raise ConfigError(f"the bundle has a {head.kind} head, not one for {kind}: use {_METHODS[head.kind]}")
        return head

    def _choose(
        self, call: BulkCall[Choices], encode: Callable[[Any], _Encoded], choices: Sequence[str], *, ends: bool
    ) -> list[Choices | BioGptError]:
        backend, end_tokens = self._backend, self.manifest.end_token_ids if checks.flag("ends", ends) else ()
        if ends and not end_tokens:
            raise ConfigError("ends is True, but no token ends this model's texts: leave it out")
        token_ids = check_choices("choices", choices, self._continuation_ids)
        room = sum(map(len, token_ids))
        together = _BATCHES_TOGETHER * backend.default_batch_size if backend.scores_prompts_together else 1
        work = Work[Any, _Encoded, Choices](
            lambda _, prompt: encode(prompt),
            size=lambda ready: Size(len(ready[0]), len(ready[0]) + room),
            answer=lambda batch: self._in_turn(
                lambda: choices_after_each(backend, batch, choices, token_ids, end_tokens)
            ),
            limits=BatchLimits(together, most_cached_tokens(self.manifest)),
        )
        return call.results(work)

    def _configure(self, config: GenerationConfig | None, settings: Mapping[str, Any]) -> GenerationConfig:
        if config is not None and not isinstance(config, GenerationConfig):
            raise ConfigError(f"config is of type {type(config).__name__}: give a GenerationConfig")
        config = config_with_defaults(self._defaults, settings) if config is None else config.replace(**settings)
        config = with_end_tokens(config, self.manifest)
        config.check_vocabulary(self.tokenizer.vocab_size)
        return config

    def _encode(self, text: str, config: GenerationConfig) -> list[int]:
        return self.tokenizer.encode(
            text, special_tokens=config.special_tokens, normalize_punctuation=config.normalize_punctuation
        )

    def _continuation_ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text)[1:]

    def _encode_prompt(self, prompt: object, config: GenerationConfig, prefix: Prefix[Any] | None) -> _Encoded:
        prompt = as_prompt(prompt)
        if isinstance(prompt, Prefix):
            self._check_prefix(prompt)
            return prompt.ids, prompt
        return tuple(self._encode(prompt, config)), prefix

    def _encode_whole(
        self, prompt: Prompt, config: GenerationConfig, prefix: Prefix[Any] | None, advice: str = TRUNCATE
    ) -> _Encoded:
        """Encodes a prompt, and refuses one that is too long."""
        ids, shared = self._encode_prompt(prompt, config, prefix)
        return fit(ids, self._backend.max_positions, config, advice), shared

    def _check_prefix(self, prefix: object) -> None:
        if prefix is not None and not (isinstance(prefix, Prefix) and prefix.is_of(self._backend)):
            raise ConfigError("prefix was not made by this model: make one with its method `prefix`")

    def _rules(self, allowed: Allowed, count: int, config: GenerationConfig) -> list[AllowedTokens | None]:
        return allowed_rules(
            allowed, count, lambda texts: self.continuations(texts, eos_token_id=config.end_token_ids or None)
        )

    def _ready(
        self,
        encode: Callable[[Any], _Encoded],
        prompt: object,
        config: GenerationConfig,
        rule: AllowedTokens | None,
        seed: int | None,
    ) -> _ReadyPrompt:
        start = perf_counter()
        prompt_ids, prefix = encode(prompt)
        ids = fit(prompt_ids, self._backend.max_positions, config)
        return _ReadyPrompt(ids, prefix, rule, seed, perf_counter() - start, len(prompt_ids) - len(ids))

    def _request(self, ready: _ReadyPrompt, config: GenerationConfig) -> Request:
        room = room_for_new_tokens(ready.ids, self._backend.max_positions, config)
        return build_request(
            self.tokenizer,
            ready.ids,
            room,
            config,
            prefix=ready.prefix,
            rule=ready.rule,
            seed=ready.seed,
            dropped_tokens=ready.dropped,
        )

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
        encode: Callable[[Any], _Encoded],
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
        encode: Callable[[Any], _Encoded],
        config: GenerationConfig,
        allowed: Allowed,
        limits: Limits,
    ) -> list[Generation | BioGptError]:
        backend = self._backend
        # A rule or a seed for each prompt needs their number.
        count = call.hold() if isinstance(allowed, list | tuple) or isinstance(config.seed, tuple) else 1
        rules, numbers = self._rules(allowed, count, config), seeds(config, count)
        rows = config.num_return_sequences if config.do_sample else config.num_beams

        def ready(index: int, prompt: object) -> _ReadyPrompt:
            own = index if count > 1 else 0
            return self._ready(encode, prompt, config, rules[own], numbers[own])

        def answer(batch: Sequence[_ReadyPrompt]) -> list[Generation]:
            requests = [self._request(one, config) for one in batch]
            for _ in self._search(requests, config, limits):
                pass
            seconds = sum(one.seconds for one in batch)
            return [self._built(each, config, seconds) for each in requests]

        def size(one: _ReadyPrompt) -> Size:
            length = len(one.ids)
            return Size(length, rows * (length + room_for_new_tokens(one.ids, backend.max_positions, config)))

        work = Work[Any, _ReadyPrompt, Generation](
            ready,
            size=size,
            answer=answer,
            limits=BatchLimits(
                max(1, _BATCHES_TOGETHER * backend.default_batch_size // rows), most_cached_tokens(self.manifest)
            ),
        )
        return call.results(work)

    def _search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        """Continues requests; yields after passes of the model."""
        return run_search(self._backend, requests, config, limits)

    def _in_turn(self, work: Callable[[], T]) -> T:
        """Returns what a function returns that takes passes of the model."""
        return work()

    def _built(self, request: Request, config: GenerationConfig, tokenize_seconds: float) -> Generation:
        return build_generation(self._opened, self.tokenizer, request, config, tokenize_seconds=tokenize_seconds)


def _is_vector(value: object) -> TypeGuard[Vector]:
    return isinstance(value, np.ndarray)
