"""Settings of transformers, vLLM and llama-cpp-python: taken, or answered with what stands in their place."""

from typing import Any

import numpy as np
import pytest

from biogpt_onnx.runtime.decoding.config import SETTING_NAMES, GenerationConfig
from biogpt_onnx.runtime.decoding.other_names import OF_LLAMA_CPP, OF_TRANSFORMERS, OF_VLLM
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults

ALL = (*OF_TRANSFORMERS, *OF_VLLM, *OF_LLAMA_CPP)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_beans": 4}, "num_beans is not a setting: did you mean num_beams?"),
        ({"allow": ["a"]}, "allow is not a setting: did you mean allowed?"),
        ({"colour": 1}, "colour is not a setting: choose from max_new_tokens, min_new_tokens, .*truncation"),
        ({"max_tokens": 3}, "max_tokens is not a setting: give max_new_tokens"),
        ({"num_beam_groups": 2}, "num_beam_groups is 2: search with num_beams alone"),
        ({"penalty_alpha": 0.6}, "penalty_alpha is 0.6: contrastive search is not supported"),
        ({"assistant_model": object()}, "assistant_model is not a setting: give prompt_lookup_num_tokens"),
        ({"streamer": object()}, "streamer is not a setting: call stream or astream"),
        ({"output_scores": True}, "output_scores is True: set logprobs"),
        ({"input_ids": [[2, 3]]}, "input_ids is not a setting: call generate_ids"),
        ({"stream": True}, "stream is True: call stream"),
        ({"best_of": 3}, "best_of is not a setting: give num_return_sequences"),
    ],
)
def test_what_is_no_setting_is_answered_with_what_is(settings: dict[str, Any], said: str) -> None:
    for make in (GenerationConfig, GenerationConfig().replace, lambda **given: config_with_defaults({}, given)):
        with pytest.raises(ConfigError, match=f"^{said}") as caught:
            make(**settings)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.names[0])
def test_what_changes_nothing_is_taken(entry: Any) -> None:
    for name in entry.names:
        for value in (None, *entry.neutral, *((True, 3, "x") if entry.is_ignored else ())):
            given: dict[str, Any] = {name: value}
            assert GenerationConfig(**given) == GenerationConfig().replace(**given) == GenerationConfig()
            assert config_with_defaults({"num_beams": 2}, {name: value}).num_beams == 2


def test_a_neutral_value_may_be_of_another_library() -> None:
    assert GenerationConfig().replace(num_beam_groups=np.int64(1), penalty_alpha=np.float32(0)) == GenerationConfig()


def test_no_name_is_listed_twice_or_is_a_setting() -> None:
    names = [name for entry in ALL for name in entry.names]
    assert len(names) == len(set(names))
    assert set(names).isdisjoint(SETTING_NAMES)


def test_every_setting_of_transformers_is_known() -> None:
    transformers = pytest.importorskip("transformers")
    known = {*SETTING_NAMES, *(name for entry in OF_TRANSFORMERS for name in entry.names)}
    assert set(transformers.GenerationConfig().to_dict()) - known == set()


def test_the_defaults_of_transformers_are_taken_as_they_are() -> None:
    transformers = pytest.importorskip("transformers")
    settings = transformers.GenerationConfig().to_dict()
    # It samples from 50 tokens, counts 20 tokens with the prompt, and does without an end token.
    del settings["top_k"], settings["max_length"], settings["eos_token_id"]
    assert GenerationConfig().replace(**settings) == GenerationConfig()
