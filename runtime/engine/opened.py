"""An opened bundle: what all of a model's methods stand on."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
# ruff: noqa: TC001
from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.bundle import ClassificationHead, Manifest
from biogpt_onnx.runtime.bundle.classification_head import HeadKind
from biogpt_onnx.runtime.bundle.digest import digest_of
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.errors import CLOSED, ConfigError, ModelClosedError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults, default_settings, with_end_tokens
from biogpt_onnx.runtime.prompt_checks import TRUNCATE, as_prompt, fit
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

T = TypeVar("T")

Prompt = str | Prefix[Any]
"""A text, or a prefix that is itself the prompt."""

Encoded = tuple[tuple[int, ...], Prefix[Any] | None]
"""Token ids of a prompt, and the prefix that they may begin with."""

BATCHES_TOGETHER = 4
"""Batches of the default size that one call continues together: a step of more rows costs each of them less."""

_METHODS: dict[HeadKind, str] = {
    "sequence-classification": "classify_texts (command classify)",
    "token-classification": "tag_tokens (command tag)",
}


class OpenedModel:
    """A loaded bundle with its tokenizer and backend, which can be closed.

    Attributes:
        tokenizer: tokenizer of the bundle.
        manifest: manifest of the bundle.
    """

    def __init__(  # noqa: PLR0913 -- the parts of a model, and what names it
        self,
        backend: Backend[Any],
        tokenizer: BioGptTokenizer,
        manifest: Manifest,
        *,
        name: str = "",
        threads: str = "",
        manifest_bytes: bytes | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.manifest = manifest
        self._opened = backend
        self._is_closed = False
        self._defaults = default_settings(manifest)
        self._name, self._threads = name, threads
        self._manifest_bytes = manifest_bytes

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

    @property
    def bundle_digest(self) -> str:
        """Digest of the bundle, "sha256:" and 64 hexadecimal digits, which names the bytes of all its files.

        It is what `biogpt-onnx info` prints and `load(..., expect=...)` takes.
        """
        content = self._manifest_bytes
        return digest_of(self.manifest.to_json().encode() if content is None else content)

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
        """True if `choose` scores all prefixes of a call in one pass, False if it takes one after the other."""
        return self._opened.scores_prefixes_together

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

    def _encode_prompt(self, prompt: object, config: GenerationConfig, prefix: Prefix[Any] | None) -> Encoded:
        prompt = as_prompt(prompt)
        if isinstance(prompt, Prefix):
            self._check_prefix(prompt)
            return prompt.ids, prompt
        return tuple(self._encode(prompt, config)), prefix

    def _encode_whole(
        self, prompt: Prompt, config: GenerationConfig, prefix: Prefix[Any] | None, advice: str = TRUNCATE
    ) -> Encoded:
        """Encodes a prompt, and refuses one that is too long."""
        ids, shared = self._encode_prompt(prompt, config, prefix)
        return fit(ids, self._backend.max_positions, config, advice), shared

    def _check_prefix(self, prefix: object) -> None:
        if prefix is not None and not (isinstance(prefix, Prefix) and prefix.is_of(self._backend)):
            raise ConfigError("prefix was not made by this model: make one with its method `prefix`")

    def _in_turn(self, work: Callable[[], T]) -> T:
        """Returns what a function returns that takes passes of the model."""
        return work()
