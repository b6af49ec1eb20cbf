"""The decoding that a checkpoint's authors chose, and what a caller's settings make of it."""

import dataclasses
import math
from typing import Any

import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults

BEAMS = {"num_beams": 3, "early_stopping": True, "num_return_sequences": 2, "max_new_tokens": 24}
SAMPLES = {"do_sample": True, "top_k": 50, "temperature": 0.7, "num_return_sequences": 2}
PROMPT = "Aspirin inhibits"


def with_manifest(model: BioGPT, **changes: Any) -> BioGPT:
    return BioGPT(model._backend, model.tokenizer, dataclasses.replace(model.manifest, **changes))


@pytest.mark.parametrize(
    ("defaults", "settings", "expected"),
    [
        (BEAMS, {}, BEAMS),
        (BEAMS, {"max_new_tokens": 5}, BEAMS | {"max_new_tokens": 5}),
        (BEAMS, {"num_beams": 1}, {"num_beams": 1, "max_new_tokens": 24}),
        (BEAMS, {"do_sample": True}, {"do_sample": True, "num_return_sequences": 2, "max_new_tokens": 24}),
        (BEAMS, {"prompt_lookup_num_tokens": 4}, {"prompt_lookup_num_tokens": 4, "max_new_tokens": 24}),
        (SAMPLES, {}, SAMPLES),
        (SAMPLES, {"do_sample": False}, {}),
        (SAMPLES, {"num_beams": 4}, {"num_beams": 4, "num_return_sequences": 2}),
        (SAMPLES, {"prompt_lookup_num_tokens": 4}, {"prompt_lookup_num_tokens": 4}),
        ({"prompt_lookup_num_tokens": 4}, {"num_beams": 2}, {"num_beams": 2}),
        ({"min_new_tokens": 30}, {"max_new_tokens": 9}, {"max_new_tokens": 9}),
        ({"min_new_tokens": 30}, {"max_length": 40}, {"max_length": 40}),
        ({"max_length": 90, "min_length": 9}, {"max_new_tokens": 9}, {"max_new_tokens": 9}),
        ({"max_length": 90}, {"max_length": 40}, {"max_length": 40}),
        ({"max_new_tokens": 90}, {"max_length": 40}, {"max_length": 40}),
        ({"max_length": 90}, {"truncation": "left"}, {"truncation": "left"}),
        (BEAMS, {"num_beams": None, "use_cache": True}, {"max_new_tokens": 24}),
        (SAMPLES, {"temperature": None}, {"do_sample": True, "top_k": 50, "num_return_sequences": 2}),
    ],
)
def test_a_default_gives_way_to_what_it_excludes(
    defaults: dict[str, Any], settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert config_with_defaults(defaults, settings) == GenerationConfig(**expected)


def test_a_setting_that_there_is_not_is_an_error_with_defaults_too() -> None:
    with pytest.raises(ConfigError, match="beams is not a setting"):
        config_with_defaults(BEAMS, {"beams": 3})


def test_a_bundles_decoding_is_what_generate_does(mini: BioGPT) -> None:
    model = with_manifest(mini, generation={"num_beams": 3, "max_new_tokens": 6})
    expected = mini.generate(PROMPT, num_beams=3, max_new_tokens=6)
    assert model.generate(PROMPT).token_ids == expected.token_ids
    assert "".join(model.stream(PROMPT)) == expected.text
    ids = mini.tokenizer.encode(PROMPT)
    assert model.generate_ids([ids])[0].token_ids == expected.token_ids
    plain = GenerationConfig(max_new_tokens=6)
    assert model.generate(PROMPT, plain).token_ids == mini.generate(PROMPT, plain).token_ids
    assert len(model.generate(PROMPT, max_new_tokens=2).token_ids) <= 2


def test_each_of_a_models_end_tokens_ends_its_texts(mini: BioGPT) -> None:
    tokens = mini.generate(PROMPT, max_new_tokens=12, eos_token_id=None).token_ids
    model = with_manifest(mini, end_token_ids=(7999, tokens[4]))
    generation = model.generate(PROMPT, max_new_tokens=12)
    first = tokens.index(tokens[4])
    assert generation.token_ids == tokens[: first + 1]
    assert generation.finish_reason == "eos"
    # What a caller says counts, and so does a configuration that says nothing of it.
    assert model.generate(PROMPT, GenerationConfig(max_new_tokens=12)).token_ids == tokens[: first + 1]
    assert len(model.generate(PROMPT, max_new_tokens=12, eos_token_id=None).token_ids) == 12
    assert model.generate(PROMPT, max_new_tokens=12, min_new_tokens=12).token_ids[:-1].count(tokens[4]) == 0


def test_a_model_without_end_tokens_goes_on(mini: BioGPT) -> None:
    model = with_manifest(mini, end_token_ids=())
    assert len(model.generate(PROMPT, max_new_tokens=9).token_ids) == 9
    with pytest.raises(ConfigError, match="no token ends"):
        model.choose(PROMPT, ["yes", "no"], ends=True)


def test_allowed_texts_end_with_a_token_of_the_model(mini: BioGPT) -> None:
    model = with_manifest(mini, end_token_ids=(5, 9))
    generation = model.generate(PROMPT, allowed=["the receptor", "pain"])
    assert generation.text.strip() in ("the receptor", "pain")
    assert generation.token_ids[-1] in (5, 9)


def test_a_choice_that_ends_is_as_likely_as_its_ends_together(mini: BioGPT) -> None:
    choices = ["the receptor", "pain"]
    each = [with_manifest(mini, end_token_ids=(token,)).choose(PROMPT, choices, ends=True) for token in (5, 9)]
    both = with_manifest(mini, end_token_ids=(5, 9)).choose(PROMPT, choices, ends=True)
    for place, choice in enumerate(both.choices):
        parts = [one.choices[place].log_probability for one in each]
        expected = max(parts) + math.log1p(math.exp(min(parts) - max(parts)))
        assert choice.log_probability == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("settings", [{"num_beams": 0}, {"beams": 3}])
def test_a_bundle_whose_decoding_cannot_be_used_says_so(mini: BioGPT, settings: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="own settings cannot be used"):
        with_manifest(mini, generation=settings)


def test_beams_with_several_end_tokens_are_kept_apart(mini: BioGPT) -> None:
    settings: dict[str, Any] = {
        "num_beams": 4,
        "num_return_sequences": 4,
        "max_new_tokens": 8,
        "eos_token_id": [2, 5, 9],
    }
    found = mini.generate(PROMPT, **settings)
    for hypothesis in found.sequences:
        assert not {2, 5, 9} & set(hypothesis.token_ids[:-1])
