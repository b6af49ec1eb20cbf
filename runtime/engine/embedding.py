"""Embedding: vectors of texts, made of their hidden states."""

# Annotations stay as they are written, so that help and editors show short signatures. What they name is imported all
# the same, for `typing.get_type_hints`.
from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Literal, TypeGuard, overload

import numpy as np

from biogpt_onnx.runtime.bulk.answering import one_by_one
from biogpt_onnx.runtime.bulk.call import BulkCall, OnError, Progress
from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.embedding import HiddenStateReader, Pooling, Vector, check_pooling, pooled
from biogpt_onnx.runtime.engine.opened import OpenedModel
from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from biogpt_onnx.runtime.prompt_checks import Truncation, as_text, check_truncation, fit_text


class EmbeddingModel(OpenedModel):
    """A model that makes vectors of texts."""

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


def _is_vector(value: object) -> TypeGuard[Vector]:
    return isinstance(value, np.ndarray)
