"""Each rule, and all of them together, beside the processors that transformers makes of the same settings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.processors import processors_for
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.states import sequence_state

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

EOS = 2
FULL = 42_384
SMALL = 12
ROUNDING = 1e-5

Logits = npt.NDArray[np.float32]
Doubt = npt.NDArray[np.bool_]


def random_ids(random: np.random.Generator, count: int) -> list[int]:
    # Few different ones, so that much is repeated.
    return [int(token) for token in random.integers(0, SMALL, count)]


def random_state(random: np.random.Generator) -> SequenceState:
    max_new_tokens = int(random.integers(1, 8))
    prompt = [EOS, *random_ids(random, int(random.choice([0, 0, 1, 2, 5, 30])))]
    return sequence_state(prompt, random_ids(random, int(random.integers(0, max_new_tokens))), max_new_tokens)


def random_logits(random: np.random.Generator, vocab_size: int) -> Logits:
    """Peaked or flat, with or without excluded tokens, as logits or as log-probabilities."""
    logits = random.standard_normal(vocab_size) * random.choice([0.3, 2.0, 6.0])
    if random.integers(2):
        logits -= 1.5 * np.log1p(random.permutation(vocab_size))
    if random.integers(2):
        logits -= np.log(np.exp(logits).sum())
    if random.integers(2):
        logits[random.random(vocab_size) < 0.3] = -np.inf
    logits[5] = 1.0
    return logits.astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Any:
    config = transformers.BioGptConfig(
        vocab_size=SMALL, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4
    )
    return transformers.BioGptForCausalLM(config)


def theirs(
    model: Any, settings: dict[str, Any], state: SequenceState, logits: Logits, allowed: Sequence[int] | None = None
) -> Logits:
    config = transformers.GenerationConfig(
        **{"top_k": 0, **{name: value for name, value in settings.items() if name != "logits_processors"}},
        max_length=len(state.prompt_ids) + state.max_new_tokens,
    )
    config._eos_token_tensor = torch.tensor([EOS])
    processors = model._get_logits_processor(
        config,
        input_ids_seq_length=len(state.prompt_ids),
        prefix_allowed_tokens_fn=None if allowed is None else lambda _batch, _ids: list(allowed),
        logits_processor=[
            lambda ids, scores, rule=rule: torch.from_numpy(rule(ids[0].numpy(), scores[0].numpy().copy()))[None]
            for rule in settings.get("logits_processors", ())
        ],
        device="cpu",
    )
    return np.asarray(processors(torch.tensor(state.ids[None]), torch.tensor(logits[None]))[0].numpy())


def ours(settings: dict[str, Any], states: Sequence[SequenceState], logits: Logits, allowed: Any = None) -> Logits:
    logits = logits.copy()
    processors = processors_for(GenerationConfig(**settings), allowed)
    assert processors
    for process in processors:
        process(states, logits)
    return logits


def assert_alike(mine: Logits, reference: Logits, doubtful: Doubt | None = None) -> None:
    sure = np.ones(len(mine), dtype=np.bool_) if doubtful is None else ~doubtful
    differing = np.flatnonzero(sure & (np.isneginf(mine) != np.isneginf(reference)))
    assert not len(differing), f"kept by one alone: {differing[:9]}, {reference[differing[:9]]}"
    both = (mine > -np.inf) & (reference > -np.inf)
    assert np.allclose(mine[both], reference[both], rtol=1e-6, atol=1e-5)


WITHOUT_DOUBT: dict[str, dict[str, Any]] = {
    "sequence bias": {"sequence_bias": {(3,): 1.5, (4, 3): -2.0, (1, 4): 5.0, (EOS, 6, 4): 0.5, (0,): -7.0}},
    "repetition penalty": {"repetition_penalty": 1.7},
    "repetition reward": {"repetition_penalty": 0.6},
    "no token twice": {"no_repeat_ngram_size": 1},
    "no bigram twice": {"no_repeat_ngram_size": 2},
    "no trigram twice": {"no_repeat_ngram_size": 3},
    "no long ngram twice": {"no_repeat_ngram_size": 9},
    "bad words": {"bad_words_ids": [[3], [5, 4], [EOS], [7, EOS], [1, 2, 3], [5, 4]]},
    "min new tokens": {"min_new_tokens": 1},
    "forced bos": {"forced_bos_token_id": 7},
    "forced eos": {"forced_eos_token_id": EOS},
    "suppress": {"suppress_tokens": [3, 9, 3]},
    "begin suppress": {"begin_suppress_tokens": [3, 9]},
    "begin suppress after forced bos": {"begin_suppress_tokens": [3, 9], "forced_bos_token_id": 7},
    "temperature": {"do_sample": True, "temperature": 0.7},
    "top k": {"do_sample": True, "top_k": 3},
    "top k of everything": {"do_sample": True, "top_k": 10 * FULL},
}


@pytest.mark.parametrize("settings", WITHOUT_DOUBT.values(), ids=WITHOUT_DOUBT)
def test_a_rule_does_what_transformers_does(model: Any, settings: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    sizes = [SMALL] * 60 + [FULL] * 3
    for vocab_size in sizes:
        states = [random_state(random) for _ in range(3)]
        if "min_new_tokens" not in settings:
            settings = {**settings, "max_new_tokens": max(state.max_new_tokens for state in states)}
        logits = np.stack([random_logits(random, vocab_size) for _ in states])
        results = ours(settings, states, logits)
        for state, row, mine in zip(states, logits, results, strict=True):
            assert_alike(mine, theirs(model, settings, state, row))
