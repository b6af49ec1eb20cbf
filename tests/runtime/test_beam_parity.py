"""Beam search held against transformers' on the same weights, over random settings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Limits
from biogpt_onnx.runtime.decoding.request import Request
from biogpt_onnx.runtime.decoding.search import run_search
from biogpt_onnx.runtime.decoding.state import SequenceState
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PAD = 1
CASES_PER_TEST = 40
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[DecoderSession, Any]:
    """The same weights as our session and in transformers."""
    folder = tmp_path_factory.mktemp("beams")
    architecture = tiny_architecture()
    checkpoint = write_huggingface(folder / "checkpoint", architecture, lively_tensors(architecture))
    session = DecoderSession(folder / "bundle", export_bundle(open_checkpoint(checkpoint), folder / "bundle"))
    return session, transformers.BioGptForCausalLM.from_pretrained(checkpoint).eval()


def ours(
    session: DecoderSession, prompts: Sequence[Sequence[int]], **settings: Any
) -> list[list[tuple[list[int], float]]]:
    config = GenerationConfig(**settings)
    states = [
        SequenceState(tuple(ids), config.most_new_tokens(len(ids)), eos_token_id=config.end_token_ids)
        for ids in prompts
    ]
    requests = [Request([state]) for state in states]
    for _ in run_search(CpuBackend(session), requests, config, Limits()):
        pass
    return [[(state.token_ids, state.score) for state in request.states] for request in requests]


def theirs(model: Any, prompts: Sequence[Sequence[int]], **settings: Any) -> list[list[tuple[list[int], float]]]:
    width, count = max(map(len, prompts)), settings["num_return_sequences"]
    ids = torch.tensor([[PAD] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.no_grad():
        found = model.generate(
            ids,
            attention_mask=mask,
            pad_token_id=PAD,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **settings,
        )
    rows = [_up_to_the_end(row[width:].tolist(), settings["eos_token_id"]) for row in found.sequences]
    scores = found.sequences_scores.tolist()
    pairs = list(zip(rows, scores, strict=True))
    return [pairs[at : at + count] for at in range(0, len(pairs), count)]


def _up_to_the_end(tokens: list[int], end_tokens: list[int]) -> list[int]:
    ends = [place for place, token in enumerate(tokens) if token in end_tokens]
    if ends:
        return tokens[: ends[0] + 1]
    # Behind a sequence that ended by its length stands nothing but padding, which was never generated.
    return [token for token in tokens if token != PAD]


def random_case(generator: np.random.Generator, common_tokens: Sequence[int]) -> tuple[list[list[int]], dict[str, Any]]:
    """Prompts of unequal lengths, and settings; the ending tokens are some that the model likes to say."""
    num_beams = int(generator.integers(2, 9))
    max_new_tokens = int(generator.integers(1, 15))
    prompts = [
        [2, *generator.integers(4, 311, generator.integers(0, 9)).tolist()] for _ in range(generator.integers(1, 4))
    ]
    end_tokens = generator.choice(common_tokens, size=generator.integers(1, 4), replace=False).tolist()
    settings = {
        "num_beams": num_beams,
        "num_return_sequences": int(generator.integers(1, num_beams + 1)),
        "length_penalty": float(generator.choice([-1.0, -0.3, 0.0, 0.6, 1.0, 2.0])),
        "early_stopping": [False, True, "never"][generator.integers(3)],
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": int(generator.integers(0, max_new_tokens + 1)),
        "eos_token_id": end_tokens,
        "sequence_bias": {(token,): float(generator.uniform(0.1, 15)) for token in end_tokens},
        "no_repeat_ngram_size": int(generator.choice([0, 0, 2])),
        "repetition_penalty": float(generator.choice([1.0, 1.0, 1.3])),
        # What transformers fills up with must not be said, or it could not be told apart.
        "suppress_tokens": [PAD],
    }
    return prompts, settings


def sums(found: Sequence[tuple[list[int], float]], length_penalty: float) -> list[float]:
    """Log-probabilities before the division by length, which for negative penalties multiplies rounding as well."""
    return [score * len(tokens) ** length_penalty for tokens, score in found]


@pytest.mark.parametrize("seed", range(7))
def test_beams_are_transformers_beams(models: tuple[DecoderSession, Any], seed: int) -> None:
    session, reference = models
    generator = np.random.default_rng(seed)
    (likely,) = ours(session, [[2]], num_beams=8, num_return_sequences=8, max_new_tokens=14, eos_token_id=None)
    common_tokens = sorted({token for tokens, _ in likely for token in tokens} - {PAD})
    ties, ended, sequences = 0, 0, 0
    for number in range(CASES_PER_TEST):
        prompts, settings = random_case(generator, common_tokens)
        expected, got = theirs(reference, prompts, **settings), ours(session, prompts, **settings)
        for prompt, wanted, found in zip(prompts, expected, got, strict=True):
            case = f"case {number}: {prompt} {settings}"
            penalty = settings["length_penalty"]
            np.testing.assert_allclose(sums(found, penalty), sums(wanted, penalty), atol=TOLERANCE, err_msg=case)
            for (tokens, _), (their_tokens, score) in zip(found, wanted, strict=True):
                sequences += 1
                ended += tokens[-1] in settings["eos_token_id"]
                if tokens != their_tokens:
                    # Only sequences that are as good as each other may change places.
                    tied = [other for other, other_score in wanted if abs(other_score - score) < TOLERANCE]
                    assert len(tied) > 1, f"{case}: {tokens} instead of {their_tokens}"
                    ties += 1
    assert ties <= sequences * 0.01
    assert ended > sequences * 0.1
