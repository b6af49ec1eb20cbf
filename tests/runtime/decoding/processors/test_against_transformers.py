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
# torch adds in single precision: its probabilities of a full vocabulary may come to 1.00005.
ROUNDING = 1e-4

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
    return np.asarray(logits, dtype=np.float32)


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
        **{
            "top_k": 0,
            "num_beams": 1,
            "num_return_sequences": 1,
            **{name: value for name, value in settings.items() if name != "logits_processors"},
        },
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
    "sequence bias": {"sequence_bias": {(3,): 1.5, (4, 3): -2.0, (1, 4): 5.0, (6, EOS, 4): 0.5, (0,): -7.0}},
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
    for vocab_size in [SMALL] * 20 + [FULL]:
        states = [random_state(random) for _ in range(3)]
        logits = np.stack([random_logits(random, vocab_size) for _ in states])
        results = ours(settings, states, logits)
        for state, row, mine in zip(states, logits, results, strict=True):
            assert_alike(mine, theirs(model, settings, state, row))


def probabilities(logits: Logits) -> npt.NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(weights / weights.sum())


def near(numbers: npt.NDArray[np.float64], limit: float) -> Doubt:
    return np.abs(numbers / limit - 1) < ROUNDING


def near_the_edge(keys: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], share: float) -> Doubt:
    """Tokens before which the smaller keys' weights come to this share, but for rounding in keys and weights."""
    order = np.argsort(keys)
    sums = np.concatenate([[0], np.cumsum(weights[order])])
    least = sums[np.searchsorted(keys[order], keys - ROUNDING)]
    most = sums[np.searchsorted(keys[order], keys + ROUNDING, side="right")]
    return np.asarray((least - ROUNDING < share) & (share < most - weights + ROUNDING))


def doubt_top_p(logits: Logits, share: float) -> Doubt:
    weights = probabilities(logits)
    return near_the_edge(-logits.astype(np.float64), weights, share)


def doubt_min_p(logits: Logits, min_p: float) -> Doubt:
    weights = probabilities(logits)
    return near(weights / weights.max(), min_p)


def doubt_typical(logits: Logits, share: float) -> Doubt:
    weights = probabilities(logits)
    surprise = -np.log(np.where(weights > 0, weights, 1e-300))
    return near_the_edge(np.abs(surprise - (weights * surprise).sum()), weights, share)


def doubt_epsilon(logits: Logits, epsilon: float) -> Doubt:
    return near(probabilities(logits), epsilon)


def doubt_eta(logits: Logits, epsilon: float) -> Doubt:
    weights = probabilities(logits)
    entropy = -(weights * np.log(np.where(weights > 0, weights, 1))).sum()
    return near(weights, min(epsilon, np.sqrt(epsilon) * np.exp(-entropy)))


CUTS = {
    "top_p": (doubt_top_p, [0.02, 0.3, 0.8, 0.95, 0.99]),
    "min_p": (doubt_min_p, [0.0001, 0.05, 0.4, 1.0]),
    "typical_p": (doubt_typical, [0.02, 0.3, 0.8, 0.95, 0.99]),
    "epsilon_cutoff": (doubt_epsilon, [0.0001, 0.001, 0.09, 0.9]),
    "eta_cutoff": (doubt_eta, [0.0001, 0.001, 0.09, 0.9]),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (_, values) in CUTS.items() for value in values])
def test_a_distribution_is_cut_where_transformers_cuts_it(model: Any, name: str, value: float) -> None:
    random = np.random.default_rng(1)
    doubt, _ = CUTS[name]
    settings = {"do_sample": True, name: value}
    state = sequence_state([EOS])
    for vocab_size in [SMALL] * 20 + [FULL]:
        logits = random_logits(random, vocab_size)
        doubtful = doubt(logits, value)
        assert doubtful.sum() < 20
        assert_alike(ours(settings, [state], logits[None])[0], theirs(model, settings, state, logits), doubtful)


@pytest.mark.parametrize("share", [0.11, 0.26, 0.52, 0.72, 0.93])
@pytest.mark.parametrize("count", [1, 3, 8, 10])
def test_of_equal_tokens_as_many_stay_as_with_transformers(model: Any, share: float, count: int) -> None:
    logits = np.full(count, 1.5, dtype=np.float32)
    settings = {"do_sample": True, "top_p": share}
    state = sequence_state([EOS])
    mine, reference = ours(settings, [state], logits[None])[0], theirs(model, settings, state, logits)
    assert np.count_nonzero(mine > -np.inf) == np.count_nonzero(reference > -np.inf)


def discourage_even(_ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
    logits[::2] -= 0.5
    return logits


def discourage_the_last(ids: npt.NDArray[np.int64], logits: Logits) -> Logits:
    logits[ids[-1]] -= 3
    return logits


REPEATING = {
    "sequence_bias": {(3,): 1.5, (4, 3): -2.0, (1, 4): 5.0, (0,): -7.0},
    "repetition_penalty": 1.3,
    "no_repeat_ngram_size": 2,
    "bad_words_ids": [[5], [6, 4], [EOS]],
}
FORCING = {
    "min_new_tokens": 2,
    "forced_bos_token_id": 7,
    "forced_eos_token_id": EOS,
    "suppress_tokens": [8, 20],
    "begin_suppress_tokens": [1],
    "logits_processors": [discourage_even, discourage_the_last],
}
SAMPLING = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "min_p": 0.01}
EVERYTHING: dict[str, dict[str, Any]] = {
    "what was said": REPEATING,
    "certain tokens": FORCING,
    "no sampling": {**REPEATING, **FORCING},
    "sampling": {**SAMPLING, "top_k": 50},
    "all": {**REPEATING, **FORCING, **SAMPLING, "top_k": 50, "typical_p": 0.9, "eta_cutoff": 0.02},
    "all, wide": {**REPEATING, **FORCING, **SAMPLING, "epsilon_cutoff": 0.002, "temperature": 1.4},
}


def exclude_others(_states: Sequence[SequenceState], logits: Logits) -> None:
    logits[:, SMALL - 3 :] = -np.inf


def peaked_logits(random: np.random.Generator, vocab_size: int) -> Logits:
    # As a language model's are, and steep enough at every cut that rounding decides nothing.
    steps = -1.6 * np.log1p(random.permutation(vocab_size)) + 0.3 * random.standard_normal(vocab_size)
    return (6 + steps).astype(np.float32)


@pytest.mark.parametrize("allowed", [None, list(range(SMALL - 3))], ids=["free", "constrained"])
@pytest.mark.parametrize("settings", EVERYTHING.values(), ids=EVERYTHING)
def test_all_rules_together_do_what_transformers_does(
    model: Any, settings: dict[str, Any], allowed: list[int] | None
) -> None:
    random = np.random.default_rng(2)
    for vocab_size in [21] * 12 + [FULL]:
        states = [random_state(random) for _ in range(3)]
        logits = np.stack([peaked_logits(random, vocab_size) for _ in states])
        results = ours(settings, states, logits, exclude_others if allowed else None)
        for state, row, mine in zip(states, logits, results, strict=True):
            assert_alike(mine, theirs(model, settings, state, row, allowed))
