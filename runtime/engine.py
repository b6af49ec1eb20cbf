"""The engine: a loaded bundle that generates, streams, chooses, scores, classifies and embeds text."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Literal, Unpack, overload

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime.asynchronous import AsyncBatchStream, AsyncTextStream, in_thread
from biogpt_onnx.runtime.backends.chunks import logits_by_chunk
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import ClassificationHead, Manifest
from biogpt_onnx.runtime.bundle.classification_head import HeadKind
from biogpt_onnx.runtime.classification.entities import AggregationStrategy, check_strategy
from biogpt_onnx.runtime.classification.heads import classify, label_logits, tag
from biogpt_onnx.runtime.classification.results import TextClassification, TokenTags
from biogpt_onnx.runtime.decoding.config import MODEL, GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.decoding.settings import Settings, TokenIds, TokenRows, WholeNumber
from biogpt_onnx.runtime.decoding.strategies.continuation_scoring import choices_after_each
from biogpt_onnx.runtime.embedding import HiddenStateReader, Pooling, check_pooling, pooled
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults, default_settings, with_end_tokens
from biogpt_onnx.runtime.prompt_checks import (
    TRUNCATE,
    Truncation,
    as_list,
    as_text,
    as_texts,
    check_batch,
    check_choices,
    check_ids,
    fit,
    fit_text,
)
from biogpt_onnx.runtime.request_building import (
    Allowed,
    allowed_rules,
    build_generation,
    build_request,
    continuation_text,
    room_for_new_tokens,
    seeds,
)
from biogpt_onnx.runtime.results import Choices, Generation, Score
from biogpt_onnx.runtime.stream import BatchStream, StreamedRow, TextStream
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

Prompt = str | Prefix[Any]
"""A text, or a prefix that is itself the prompt."""

_METHODS: dict[HeadKind, str] = {
    "sequence-classification": "classify_texts (command classify)",
    "token-classification": "tag_tokens (command tag)",
}

_Encoded = tuple[tuple[int, ...], Prefix[Any] | None]


class BioGPT:
    """A loaded bundle, which generates, streams, chooses, scores, classifies and embeds text.

    Calls from several threads are safe. A bundle with a classification head classifies and embeds text; all else needs
    a language-model head, and is a `ConfigError`.

    Attributes:
        tokenizer: tokenizer of the bundle.
        manifest: manifest of the bundle.
    """

    def __init__(self, backend: Backend[Any], tokenizer: BioGptTokenizer, manifest: Manifest) -> None:
        self.tokenizer = tokenizer
        self.manifest = manifest
        self._any_backend = backend
        self._defaults = default_settings(manifest)

    @property
    def device(self) -> str:
        """Name of the device that it runs on: "cpu" or "cuda"."""
        return self._any_backend.device

    @property
    def default_batch_size(self) -> int:
        """Number of prompts that are best continued together on its device."""
        return self._any_backend.default_batch_size

    @property
    def chooses_together(self) -> bool:
        """True if `choose` scores all prompts of a call in one pass, False if it takes one after the other."""
        return self._any_backend.scores_prompts_together

    @overload
    def generate(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
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
    def generate(
        self,
        prompts: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> list[Generation]: ...

    def generate(
        self,
        prompts: Prompt | Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> Generation | list[Generation]:
        """Continues one prompt, or each of several.

        Args:
            prompts: a text or a prefix, or several; an answer does not depend on the other prompts.
            config: settings of the generation; by default the bundle's own (`manifest.generation`), which are
                `GenerationConfig()` unless the checkpoint's authors chose others.
            prefix: a prefix that was read before; tokens that a prompt shares with its beginning are not computed
                again.
            allowed: constraint on the new text: texts, of which it must be one whole; or a function that takes the new
                token ids so far and returns those that may come next, none to end; or a function for each prompt.
            cancel: event that ends the generation when it is set; the tokens so far are returned.
            **settings: fields of the configuration to replace.

        Returns:
            A `Generation`, or a list of them in the order of the prompts.

        Raises:
            PromptError: no prompts, prompts that are not strings, or one longer than the model's positions.
            ConfigError: a bad setting, or rules that exclude every token.
        """
        config = self._configure(config, settings)
        return self._answer(prompts, config, Limits(config.max_time, cancel), prefix, allowed)

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
        prompts: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> list[Generation]: ...

    async def agenerate(
        self,
        prompts: Prompt | Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> Generation | list[Generation]:
        """Continues one prompt, or each of several, in a thread of its own, while asyncio's other tasks go on.

        Arguments, results and errors are those of `generate`. Cancelling the task ends the generation after the step
        that is being computed; the task ends when nothing is computed any more.
        """
        config = self._configure(config, settings)
        limits = Limits(config.max_time, cancel)
        return await in_thread(lambda: self._answer(prompts, config, limits, prefix, allowed), limits.cancel)

    def generate_ids(
        self,
        prompt_ids: TokenRows,
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> list[Generation]:
        """Continues sequences of token ids, each of which should start with `</s>` (2); see `generate`.

        Raises:
            PromptError: no sequences, an empty one, ids outside the vocabulary, or more than the model's positions.
            ConfigError: a bad setting, or rules that exclude every token.
        """
        config = self._configure(config, settings)
        limits = Limits(config.max_time, cancel)
        self._check_prefix(prefix)
        encoded = [(ids, prefix) for ids in check_batch(prompt_ids, self.tokenizer.vocab_size)]
        return self._generate(self._requests(encoded, config, allowed), config, limits, tokenize_seconds=0.0)

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
        prompt: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> BatchStream: ...

    def stream(
        self,
        prompt: Prompt | Sequence[Prompt],
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
        start = perf_counter()
        config = self._configure(config, settings)
        if config.do_sample and config.num_return_sequences > 1:
            raise ConfigError(
                f"num_return_sequences is {config.num_return_sequences}, but a stream is one text for each prompt: set "
                "it to 1, or use generate"
            )
        limits = Limits(config.max_time, cancel)
        encoded = [self._encode_prompt(each, config, prefix) for each in as_list(prompt)]
        requests = self._requests(encoded, config, allowed)
        finish = partial(build_generation, self.tokenizer, config=config, tokenize_seconds=perf_counter() - start)
        rows = []
        for request in requests:
            prompt_ids = request.states[0].prompt_ids
            text = continuation_text(self.tokenizer, prompt_ids, config) if config.num_beams == 1 else None
            rows.append(StreamedRow(request, text, finish))
        batch = BatchStream(run_search(self._backend, requests, config, limits), rows, limits)
        return TextStream(batch) if isinstance(prompt, str | Prefix) else batch

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
        prompt: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        prefix: Prefix[Any] | None = None,
        allowed: Allowed = None,
        cancel: threading.Event | None = None,
        **settings: Unpack[Settings],
    ) -> AsyncBatchStream: ...

    def astream(
        self,
        prompt: Prompt | Sequence[Prompt],
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
        stream = self.stream(prompt, config, prefix=prefix, allowed=allowed, cancel=cancel, **settings)
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
        return Prefix(self._backend, fit(ids, self._backend.max_positions, config, "give a shorter beginning"))

    def continuations(
        self, texts: Sequence[str], *, eos_token_id: WholeNumber | TokenIds | Literal["model"] | None = MODEL
    ) -> TokenTrie:
        """Returns a rule for `generate(..., allowed=...)`: the new text must be one of these, and end there.

        Args:
            texts: texts that are allowed.
            eos_token_id: the token that ends a text, or several of which any does; "model" for those of the model;
                None for a text that ends without one.

        Raises:
            ConfigError: there are no texts, or one is empty.
        """
        end_tokens = with_end_tokens(GenerationConfig().replace(eos_token_id=eos_token_id), self.manifest).end_token_ids
        endings: list[tuple[int, ...]] = [(token,) for token in end_tokens] or [()]
        rows = [check_choices("allowed", [text], self._continuation_ids)[0] for text in texts]
        return TokenTrie((*ids, *ending) for ids in rows for ending in endings)

    @overload
    def choose(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one prompt
        self, prompts: Prompt, choices: Sequence[str], *, prefix: Prefix[Any] | None = None, ends: bool = False
    ) -> Choices: ...

    @overload
    def choose(
        self,
        prompts: Sequence[Prompt],
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
    ) -> list[Choices]: ...

    def choose(
        self,
        prompts: Prompt | Sequence[Prompt],
        choices: Sequence[str],
        *,
        prefix: Prefix[Any] | None = None,
        ends: bool = False,
    ) -> Choices | list[Choices]:
        """Scores each of several continuations after a prompt, or after each of several.

        A choice is read as words of its own behind the prompt. The prompt is computed once for all choices, and so is
        a beginning that several choices share.

        Args:
            prompts: a text or a prefix, or several.
            choices: texts to choose from.
            prefix: a prefix that was read before; tokens that a prompt shares with its beginning are not computed
                again.
            ends: True if the text must end after the choice, by an end token of the model. Otherwise anything may
                follow, so that "no" is at least as likely as "no effect".

        Raises:
            PromptError: a prompt is too long, or not a string.
            ConfigError: there are no choices, one is empty, or two are the same to the model.
        """
        config = GenerationConfig()
        encoded = [self._encode_prompt(prompt, config, prefix, "shorten the prompt") for prompt in as_list(prompts)]
        found = self._choose(encoded, choices, ends=ends)
        return found[0] if isinstance(prompts, str | Prefix) else found

    def choose_ids(self, prompt_ids: TokenRows, choices: Sequence[str], *, ends: bool = False) -> list[Choices]:
        """Scores each of several continuations after sequences of token ids; see `choose`.

        Raises:
            PromptError: no sequences, an empty one, ids outside the vocabulary, or more than the model's positions.
            ConfigError: there are no choices, one is empty, or two are the same to the model.
        """
        encoded: list[_Encoded] = [(ids, None) for ids in check_batch(prompt_ids, self.tokenizer.vocab_size)]
        return self._choose(encoded, choices, ends=ends)

    def logits(self, token_ids: TokenIds) -> npt.NDArray[np.float32]:
        """Returns the logits after each token of a sequence, [len(token_ids), vocab].

        Raises:
            PromptError: ids outside the vocabulary, or more than the model's positions.
        """
        ids = check_ids(token_ids, self.tokenizer.vocab_size)
        ids = fit(ids, self._backend.max_positions, GenerationConfig(), "give fewer tokens")
        return np.concatenate(list(logits_by_chunk(self._backend, ids, self._backend.new_cache(1, len(ids)))))

    def score(
        self,
        text: str,
        *,
        prompt: Prompt = "",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> Score:
        """Scores a text by its tokens' log-probabilities, by itself or behind a prompt.

        Args:
            text: text to score.
            prompt: text or prefix before it, whose own tokens are not scored.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.

        Raises:
            PromptError: the text is not a string, has no tokens, or has more than the model's positions.
        """
        config = GenerationConfig(special_tokens=special_tokens, normalize_punctuation=normalize_punctuation)
        targets = self._encode(as_text(text), config)[1:]
        if not targets:
            raise PromptError("the text is empty: there is nothing to score")
        advice = "score it in parts, each behind the end of the one before as its prompt"
        prompt_ids, shared = self._encode_prompt(prompt, config, None, "shorten the prompt")
        fit((*prompt_ids, *targets), self._backend.max_positions, config, advice, "the text with its prompt")
        scores = self._backend.score_tokens(prompt_ids, shared, targets)
        return Score(token_ids=tuple(targets), log_probabilities=tuple(scores))

    @overload
    def classify_texts(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one text
        self,
        texts: str,
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> TextClassification: ...

    @overload
    def classify_texts(
        self,
        texts: Sequence[str],
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> list[TextClassification]: ...

    def classify_texts(
        self,
        texts: str | Sequence[str],
        *,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> TextClassification | list[TextClassification]:
        """Classifies one text, or each of several, by the bundle's sequence classifier.

        The logits are those of transformers' `BioGptForSequenceClassification`. Each text is read by itself, so that
        its answer does not depend on the others.

        Args:
            texts: a text or several.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            ConfigError: the bundle has no sequence classifier, or a bad setting.
        """
        head = self._head("sequence-classification")
        found = []
        for number, text in enumerate(as_texts(texts), start=1):
            ids = self.tokenizer.encode(
                text, special_tokens=special_tokens, normalize_punctuation=normalize_punctuation
            )
            read = fit_text(ids, self._any_backend.max_positions, truncation, number)
            found.append(classify(head, label_logits(self._any_backend, head, read), len(ids) - len(read)))
        return found[0] if isinstance(texts, str) else found

    @overload
    def tag_tokens(  # type: ignore[overload-overlap]  # a string is a sequence of strings, but here one text
        self,
        texts: str,
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
    ) -> TokenTags: ...

    @overload
    def tag_tokens(
        self,
        texts: Sequence[str],
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
    ) -> list[TokenTags]: ...

    def tag_tokens(
        self,
        texts: str | Sequence[str],
        *,
        aggregation_strategy: AggregationStrategy = "first",
        truncation: Truncation = "error",
        normalize_punctuation: bool = False,
    ) -> TokenTags | list[TokenTags]:
        """Labels the tokens of one text, or of each of several, by the bundle's token classifier.

        The logits are those of transformers' `BioGptForTokenClassification`; `</s>` before the text has no label. Each
        text is read by itself, so that its answer does not depend on the others.

        Args:
            texts: a text or several.
            aggregation_strategy: way to join the tokens of a word, with transformers' names: "first" takes the label of
                its first token, "average" the best of the mean probabilities, "max" that of its most certain token;
                "simple" takes each token for a word.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            ConfigError: the bundle has no token classifier, or a bad setting.
        """
        head = self._head("token-classification")
        check_strategy(aggregation_strategy)
        found = []
        for number, text in enumerate(as_texts(texts), start=1):
            tokens = self.tokenizer.tokenize_with_spans(text, normalize_punctuation=normalize_punctuation)
            ids = [self.tokenizer.eos_id, *(self.tokenizer.symbol_to_id(token.symbol) for token in tokens)]
            read = fit_text(ids, self._any_backend.max_positions, truncation, number)
            logits = label_logits(self._any_backend, head, read)
            found.append(tag(head, text, tokens, logits, aggregation_strategy))
        return found[0] if isinstance(texts, str) else found

    def embed(  # noqa: PLR0913 -- the texts, and settings of reading and pooling
        self,
        texts: str | Sequence[str],
        *,
        pooling: Pooling = "mean",
        normalize: bool = False,
        truncation: Truncation = "error",
        special_tokens: bool = False,
        normalize_punctuation: bool = False,
    ) -> npt.NDArray[np.float32]:
        """Embeds texts by their hidden states behind the last normalization, which are those of `BioGptModel`.

        Each text is read by itself, so that its vector does not depend on the others.

        Args:
            texts: a text or several.
            pooling: "mean" for the mean over all tokens, `</s>` at the beginning included; "last" for the last token,
                the only one that has read the whole text.
            normalize: True to divide each vector by its Euclidean norm.
            truncation: handling of a text longer than the model's positions: "error" refuses it, "right" drops its end.
            special_tokens: True to read `</s>` and the like in the texts as special tokens rather than as text.
            normalize_punctuation: True to read typographic punctuation, which BioGPT's vocabulary lacks, as ASCII.

        Returns:
            A vector [hidden] for one text, [texts, hidden] for several.

        Raises:
            PromptError: no texts, or one that is not a string, has no words, or is too long.
            BundleError: an earlier version wrote the bundle, whose graph has no output for hidden states.
            ConfigError: a bad setting, or the device does not compute hidden states.
        """
        check_pooling(pooling)
        reader = self._any_backend
        if not isinstance(reader, HiddenStateReader):
            raise ConfigError(f"hidden states are computed on the CPU only, the device is {self.device}: load with cpu")
        vectors = []
        for number, text in enumerate(as_texts(texts), start=1):
            ids = self.tokenizer.encode(
                text, special_tokens=special_tokens, normalize_punctuation=normalize_punctuation
            )
            read = fit_text(ids, reader.max_positions, truncation, number)
            vectors.append(pooled(reader, read, pooling, normalize=normalize))
        return vectors[0] if isinstance(texts, str) else np.stack(vectors)

    @property
    def _backend(self) -> Backend[Any]:
        """Backend of a language model.

        Raises:
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

    def _choose(self, encoded: Sequence[_Encoded], choices: Sequence[str], *, ends: bool) -> list[Choices]:
        end_tokens = self.manifest.end_token_ids if ends else ()
        if ends and not end_tokens:
            raise ConfigError("ends is True, but no token ends this model's texts: leave it out")
        token_ids = check_choices("choices", choices, self._continuation_ids)
        return choices_after_each(self._backend, encoded, choices, token_ids, end_tokens)

    def _configure(self, config: GenerationConfig | None, settings: Mapping[str, Any]) -> GenerationConfig:
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

    def _encode_prompt(
        self, prompt: Prompt, config: GenerationConfig, prefix: Prefix[Any] | None, advice: str = TRUNCATE
    ) -> _Encoded:
        self._check_prefix(prefix)
        if isinstance(prompt, Prefix):
            self._check_prefix(prompt)
            return prompt.ids, prompt
        return fit(self._encode(prompt, config), self._backend.max_positions, config, advice), prefix

    def _check_prefix(self, prefix: object) -> None:
        if prefix is not None and not (isinstance(prefix, Prefix) and prefix.is_of(self._backend)):
            raise ConfigError("prefix was not made by this model: make one with its method `prefix`")

    def _requests(self, encoded: Sequence[_Encoded], config: GenerationConfig, allowed: Allowed) -> list[Request]:
        rules = allowed_rules(
            allowed, len(encoded), lambda texts: self.continuations(texts, eos_token_id=config.end_token_ids or None)
        )
        requests = []
        rows = zip(encoded, rules, seeds(config, len(encoded)), strict=True)
        for (prompt_ids, prefix), rule, seed in rows:
            ids = fit(prompt_ids, self._backend.max_positions, config)
            room = room_for_new_tokens(ids, self._backend.max_positions, config)
            requests.append(build_request(self.tokenizer, ids, room, config, prefix=prefix, rule=rule, seed=seed))
        return requests

    def _answer(
        self,
        prompts: Prompt | Sequence[Prompt],
        config: GenerationConfig,
        limits: Limits,
        prefix: Prefix[Any] | None,
        allowed: Allowed,
    ) -> Generation | list[Generation]:
        start = perf_counter()
        encoded = [self._encode_prompt(prompt, config, prefix) for prompt in as_list(prompts)]
        requests = self._requests(encoded, config, allowed)
        tokenize_seconds = perf_counter() - start
        generations = self._generate(requests, config, limits, tokenize_seconds=tokenize_seconds)
        return generations[0] if isinstance(prompts, str | Prefix) else generations

    def _generate(
        self, requests: Sequence[Request], config: GenerationConfig, limits: Limits, *, tokenize_seconds: float
    ) -> list[Generation]:
        for _ in run_search(self._backend, requests, config, limits):
            pass
        return [
            build_generation(self.tokenizer, request, config, tokenize_seconds=tokenize_seconds) for request in requests
        ]
