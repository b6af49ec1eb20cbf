import dataclasses

import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.errors import ConfigError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_new_tokens", 0),
        ("max_new_tokens", -1),
        ("max_new_tokens", 3.0),
        ("max_new_tokens", True),
        ("max_new_tokens", "5"),
        ("max_new_tokens", None),
        ("min_new_tokens", -1),
        ("min_new_tokens", 65),
        ("eos_token_id", -2),
        ("eos_token_id", "</s>"),
        ("stop_strings", [""]),
        ("stop_strings", ""),
        ("stop_strings", [3]),
        ("stop_strings", 3),
        ("stop_strings", None),
        ("truncation", "middle"),
        ("special_tokens", 1),
        ("normalize_punctuation", "yes"),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        GenerationConfig(**{field: value})  # type: ignore[arg-type]


def test_a_setting_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"max_tokens is not a setting.*max_new_tokens"):
        GenerationConfig().replace(max_tokens=3)


def test_one_stop_string_is_not_taken_for_its_letters() -> None:
    assert GenerationConfig(stop_strings="end").stop_strings == ("end",)


def test_a_configuration_cannot_change_under_a_running_generation() -> None:
    stops = ["a"]
    config = GenerationConfig(stop_strings=stops)
    stops.append("b")
    assert config.stop_strings == ("a",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.max_new_tokens = 3  # type: ignore[misc]
