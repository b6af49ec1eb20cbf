"""BioGPT: text in, text or a stream out."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.greedy import greedy_search
from biogpt_onnx.runtime.decoding.model import Cache, DecoderModel
from biogpt_onnx.runtime.decoding.prefill import logits_by_chunk
from biogpt_onnx.runtime.decoding.sampler import log_probabilities
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.errors import BundleError, ConfigError, PromptError
from biogpt_onnx.runtime.prompts import as_list, check_batch, check_ids, fit
from biogpt_onnx.runtime.providers import Device
from biogpt_onnx.runtime.results import Generation, Hypothesis, Score, Timings
from biogpt_onnx.runtime.session import DecoderSession
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer, IncrementalDecoder
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError


class BioGPT:
    """A bundle, ready to generate. Calls from several threads are safe.

    Attributes:
        tokenizer: text to ids and back.
        manifest: what the bundle says of itself.
    """

    def __init__(self, model: DecoderModel[Any], tokenizer: BioGptTokenizer, manifest: Manifest) -> None:
        self.tokenizer = tokenizer
        self.manifest = manifest
        self._model: DecoderModel[Cache] = model

    @overload
    def generate(self, prompts: str, config: GenerationConfig | None = None, **settings: Any) -> Generation: ...

    @overload
    def generate(
        self, prompts: Sequence[str], config: GenerationConfig | None = None, **settings: Any
    ) -> list[Generation]: ...

    def generate(
        self,
        prompts: str | Sequence[str],
        config: GenerationConfig | None = None,
        **settings: Any,
    ) -> Generation | list[Generation]:
        """Continues one prompt, or each of several.

        Args:
            prompts: a text, or texts; an answer does not depend on the other texts.
            config: how to continue; by default `GenerationConfig()`.
            **settings: fields of the configuration that shall differ.

        Returns:
            A `Generation`, or a list of them in the order of the prompts.

        Raises:
            PromptError: no prompts, prompts that are not strings, or one longer than the model's positions.
            ConfigError: a bad setting.
        """
        config = self._configure(config, settings)
        start = perf_counter()
        ids = [self._encode(text, config) for text in as_list(prompts)]
        generations = self._generate(ids, config, tokenize_seconds=perf_counter() - start)
        return generations[0] if isinstance(prompts, str) else generations

    def generate_ids(
        self, prompt_ids: Sequence[Sequence[int]], config: GenerationConfig | None = None, **settings: Any
    ) -> list[Generation]:
        """Continues sequences of token ids, each of which should start with `</s>` (2); see `generate`.

        Raises:
            PromptError: no sequences, an empty one, ids outside the vocabulary, or more than the model's positions.
            ConfigError: a bad setting.
        """
        config = self._configure(config, settings)
        ids = check_batch(prompt_ids, self.tokenizer.vocab_size)
        return self._generate(ids, config, tokenize_seconds=0.0)

    def stream(self, prompt: str, config: GenerationConfig | None = None, **settings: Any) -> Iterator[str]:
        """Continues a prompt and yields the text piece by piece, as soon as nothing to come can change it.

        The pieces together are the text that `generate` gives. Settings and errors are those of `generate`; the latter
        are raised at the call, not at the first piece.
        """
        config = self._configure(config, settings)
        if not isinstance(prompt, str):
            raise PromptError(f"a prompt is of type {type(prompt).__name__}: give a string")
        state = self._state(self._encode(prompt, config), config)
        return self._pieces(state, config)

    def logits(self, token_ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """The logits after each token of a sequence, [len(token_ids), vocab].

        Raises:
            PromptError: ids outside the vocabulary, or more than the model's positions.
        """
        ids = fit(check_ids(token_ids, self.tokenizer.vocab_size), self._model.max_positions, GenerationConfig())
        return np.concatenate(list(logits_by_chunk(self._model, ids)))

    def score(self, text: str, *, special_tokens: bool = False, normalize_punctuation: bool = False) -> Score:
        """How likely the model finds a text.

        Raises:
            PromptError: not a string, no tokens, or more than the model's positions.
        """
        config = GenerationConfig(special_tokens=special_tokens, normalize_punctuation=normalize_punctuation)
        ids = fit(self._encode(as_list([text])[0], config), self._model.max_positions, config)
        targets = np.array(ids[1:], dtype=np.int64)
        if len(targets) == 0:
            raise PromptError("the text is empty: there is nothing to score")
        scores: list[float] = []
        for logits in logits_by_chunk(self._model, ids[:-1]):
            start = len(scores)
            scores += log_probabilities(logits, targets[start : start + len(logits)]).tolist()
        return Score(token_ids=tuple(ids[1:]), log_probabilities=tuple(scores))

    def _configure(self, config: GenerationConfig | None, settings: Mapping[str, Any]) -> GenerationConfig:
        config = (config or GenerationConfig()).replace(**settings)
        if config.eos_token_id is not None and config.eos_token_id >= self.tokenizer.vocab_size:
            raise ConfigError(
                f"eos_token_id is {config.eos_token_id}, outside the vocabulary of {self.tokenizer.vocab_size:,}"
            )
        return config

    def _encode(self, text: str, config: GenerationConfig) -> list[int]:
        return self.tokenizer.encode(
            text, special_tokens=config.special_tokens, normalize_punctuation=config.normalize_punctuation
        )

    def _state(self, prompt_ids: Sequence[int], config: GenerationConfig) -> SequenceState:
        ids = fit(prompt_ids, self._model.max_positions, config)
        # The last new token is never read, so it needs no position.
        room = self._model.max_positions - len(ids) + 1
        return SequenceState(prompt_ids=ids, max_new_tokens=min(config.max_new_tokens, room))

    def _text(self, state: SequenceState, config: GenerationConfig) -> ContinuationText:
        return ContinuationText(IncrementalDecoder(self.tokenizer, state.prompt_ids), config.stop_strings)

    def _generate(
        self, prompt_ids: Sequence[Sequence[int]], config: GenerationConfig, *, tokenize_seconds: float
    ) -> list[Generation]:
        states = [self._state(ids, config) for ids in prompt_ids]
        texts = [self._text(state, config) for state in states]
        start = perf_counter()
        search = greedy_search(self._model, states, config, [text.push for text in texts])
        next(search)
        first_token = perf_counter()
        steps = sum(1 for _ in search)
        timings = Timings(
            tokenize=tokenize_seconds, prefill=first_token - start, decode=perf_counter() - first_token, steps=steps
        )
        return [Generation.of((_hypothesis(state, text),), timings) for state, text in zip(states, texts, strict=True)]

    def _pieces(self, state: SequenceState, config: GenerationConfig) -> Iterator[str]:
        text = self._text(state, config)
        for _ in greedy_search(self._model, [state], config, [text.push]):
            if piece := text.take():
                yield piece
        if piece := text.finish():
            yield piece


def load(
    folder: str | Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prepack: bool = True,
    warm_up: bool = True,
) -> BioGPT:
    """Loads a bundle.

    Args:
        folder: the bundle, as `biogpt-onnx export` wrote it.
        device: "cpu", "cuda", or "auto" for the best that runs the bundle.
        threads: threads that compute one step; None for one a core.
        prepack: rearrange the weights once while loading, which makes prefill and batches faster; False starts at once,
            maps the weights from the file, and is the faster for one sequence at a time.
        warm_up: load what uncommon words need, which takes half a second, in the background at once; False leaves it
            to the first such word.

    Raises:
        BundleError: the bundle is missing, incomplete or damaged.
        ProviderError: ONNX Runtime or the device cannot be had.
        ConfigError: a bad setting.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    tokenizer = _load_tokenizer(folder, manifest)
    if warm_up:
        threading.Thread(target=tokenizer.warm_up, daemon=True).start()
    session = DecoderSession(folder, manifest, device=device, threads=threads, prepack=prepack)
    return BioGPT(session, tokenizer, manifest)


def _load_tokenizer(folder: Path, manifest: Manifest) -> BioGptTokenizer:
    try:
        tokenizer = BioGptTokenizer.from_files(
            folder / bundle.VOCAB_FILE,
            folder / bundle.MERGES_FILE,
            soft_prompt_size=manifest.architecture.soft_prompt_size,
        )
    except VocabularyError as error:
        raise BundleError(f"{folder}: {error}: export the bundle again") from error
    if tokenizer.vocab_size != manifest.architecture.vocab_size:
        raise BundleError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} entries, the model "
            f"{manifest.architecture.vocab_size:,}: export the bundle again"
        )
    return tokenizer


def _hypothesis(state: SequenceState, text: ContinuationText) -> Hypothesis:
    if state.finish_reason is None:
        raise RuntimeError("the search ended before the sequence did")
    return Hypothesis(text.text, tuple(state.token_ids), state.score, state.finish_reason)
