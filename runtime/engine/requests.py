"""Requests of a model: prompts that are ready to be continued, what they may begin with, and what may follow."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from biogpt_onnx.runtime.decoding.config import MODEL, GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.selection.constraints import TokenTrie
from biogpt_onnx.runtime.decoding.settings import TokenIds, WholeNumber
from biogpt_onnx.runtime.decoding.state import AllowedTokens
from biogpt_onnx.runtime.engine.opened import Encoded, OpenedModel
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.generation_defaults import with_end_tokens
from biogpt_onnx.runtime.prompt_checks import check_choices, check_ids, check_known, fit
from biogpt_onnx.runtime.request_building import (
    Allowed,
    allowed_rules,
    build_generation,
    build_request,
    room_for_new_tokens,
)
from biogpt_onnx.runtime.results import Generation


@dataclass(frozen=True)
class ReadyPrompt:
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


class RequestModel(OpenedModel):
    """A model that makes requests of prompts and has them continued."""

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

    def _rules(self, allowed: Allowed, count: int, config: GenerationConfig) -> list[AllowedTokens | None]:
        return allowed_rules(
            allowed, count, lambda texts: self.continuations(texts, eos_token_id=config.end_token_ids or None)
        )

    def _ready(
        self,
        encode: Callable[[Any], Encoded],
        prompt: object,
        config: GenerationConfig,
        rule: AllowedTokens | None,
        seed: int | None,
    ) -> ReadyPrompt:
        start = perf_counter()
        prompt_ids, prefix = encode(prompt)
        ids = fit(prompt_ids, self._backend.max_positions, config)
        return ReadyPrompt(ids, prefix, rule, seed, perf_counter() - start, len(prompt_ids) - len(ids))

    def _request(self, ready: ReadyPrompt, config: GenerationConfig) -> Request:
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

    def _search(self, requests: Sequence[Request], config: GenerationConfig, limits: Limits) -> Iterator[None]:
        """Continues requests; yields after passes of the model."""
        return run_search(self._backend, requests, config, limits)

    def _built(self, request: Request, config: GenerationConfig, tokenize_seconds: float) -> Generation:
        return build_generation(self._opened, self.tokenizer, request, config, tokenize_seconds=tokenize_seconds)
