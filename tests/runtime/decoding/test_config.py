import dataclasses
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.errors import ConfigError

COUNTS = ["max_new_tokens", "num_beams", "num_return_sequences", "max_matching_ngram_size"]
COUNTS_OR_NONE = ["min_new_tokens", "top_k", "no_repeat_ngram_size", "prompt_lookup_num_tokens", "logprobs"]
NUMBERS = [
    "max_time",
    "length_penalty",
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "repetition_penalty",
]
TOKENS = ["eos_token_id", "forced_bos_token_id", "forced_eos_token_id"]
TOKEN_LISTS = ["suppress_tokens", "begin_suppress_tokens"]
FLAGS = ["do_sample", "special_tokens", "normalize_punctuation"]
OPTIONAL = ["max_time", "eos_token_id", "seed", "forced_bos_token_id", "forced_eos_token_id", "logprobs"]

BAD_VALUES: list[tuple[str, object]] = [
    *((name, value) for name in COUNTS for value in (0, -1, 3.0, True, "5")),
    *((name, value) for name in COUNTS_OR_NONE for value in (-1, 3.0, True, "5")),
    *((name, value) for name in NUMBERS for value in (True, "0.5", [0.5], float("nan"), float("inf"), 10**400)),
    *((name, value) for name in TOKENS for value in (-2, 1.0, True, "</s>")),
    *(("eos_token_id", value) for value in ([], [-1], ["2"], [True], [2.0])),
    *((name, value) for name in TOKEN_LISTS for value in (3, "34", b"34", {3}, ["3"], [3.0], [True], [-1], [[3]])),
    *((name, np.array(value)) for name in TOKEN_LISTS for value in (3, [3.0], [True], [[3]])),
    *((name, value) for name in FLAGS for value in (0, 1, "yes", None)),
    *((name, None) for name in GenerationConfig.__dataclass_fields__ if name not in OPTIONAL),
    ("min_new_tokens", 65),
    ("max_time", 0),
    ("max_time", -1.0),
    ("stop_strings", [""]),
    ("stop_strings", ""),
    ("stop_strings", [3]),
    ("stop_strings", 3),
    ("stop_strings", b"end"),
    ("early_stopping", 1),
    ("early_stopping", 0),
    ("early_stopping", "always"),
    ("early_stopping", np.array([True, True])),
    ("seed", -1),
    ("seed", 1.0),
    ("seed", True),
    ("seed", "7"),
    ("seed", []),
    ("seed", [1, None]),
    ("seed", [1, -1]),
    ("temperature", 0),
    ("temperature", -0.5),
    ("top_p", 0),
    ("top_p", 1.01),
    ("min_p", -0.01),
    ("min_p", 1.01),
    ("typical_p", 0),
    ("typical_p", 1.01),
    ("epsilon_cutoff", -0.01),
    ("epsilon_cutoff", 1),
    ("eta_cutoff", -0.01),
    ("eta_cutoff", 1),
    ("repetition_penalty", 0),
    ("repetition_penalty", -1),
    ("bad_words_ids", [3]),
    ("bad_words_ids", [[]]),
    ("bad_words_ids", [[3], "45"]),
    ("bad_words_ids", [[3, -1]]),
    ("bad_words_ids", "345"),
    ("bad_words_ids", 3),
    ("sequence_bias", {3: 1.0}),
    ("sequence_bias", {(): 1.0}),
    ("sequence_bias", {(3,): "1"}),
    ("sequence_bias", {(3,): float("-inf")}),
    ("sequence_bias", {(3, -1): 1.0}),
    ("sequence_bias", [[3], 1.0]),
    ("sequence_bias", [([3], 1.0, 2.0)]),
    ("sequence_bias", [([3], 1.0), ((3,), 2.0)]),
    ("sequence_bias", "3"),
    ("sequence_bias", 3),
    ("logits_processors", 3),
    ("logits_processors", [3]),
    ("logits_processors", "sorted"),
    ("truncation", "middle"),
    ("truncation", ["left"]),
]

CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"min_new_tokens": 5, "max_new_tokens": 4}, "min_new_tokens is 5.*max_new_tokens 4: raise"),
    ({"do_sample": True, "num_beams": 2}, "do_sample is True and num_beams 2: sample with num_beams=1"),
    *(
        ({name: value}, f"{name} is {value}.*set do_sample=True")
        for name, value in {
            "seed": 3,
            "temperature": 0.5,
            "top_k": 5,
            "top_p": 0.5,
            "min_p": 0.5,
            "typical_p": 0.5,
            "epsilon_cutoff": 0.5,
            "eta_cutoff": 0.5,
        }.items()
    ),
    ({"length_penalty": 2.0}, "length_penalty is 2.0.*set num_beams above 1"),
    ({"early_stopping": True}, "early_stopping is True.*set num_beams above 1"),
    ({"early_stopping": "never", "do_sample": True}, "early_stopping is 'never'.*set num_beams above 1"),
    ({"num_return_sequences": 2}, "num_return_sequences is 2.*raise num_beams, or set do_sample=True"),
    ({"num_return_sequences": 4, "num_beams": 3}, "num_return_sequences is 4, above num_beams 3: raise"),
    ({"prompt_lookup_num_tokens": 4, "num_beams": 2}, "prompt_lookup_num_tokens is 4 and num_beams 2: set num_beams=1"),
    ({"prompt_lookup_num_tokens": 4, "do_sample": True}, "prompt_lookup_num_tokens is 4.*set do_sample=False"),
]

AT_THE_LIMIT: list[dict[str, Any]] = [
    {"max_new_tokens": 3, "min_new_tokens": 3},
    {"num_beams": 3, "num_return_sequences": 3, "length_penalty": -1, "early_stopping": "never"},
    {"do_sample": True, "num_return_sequences": 9},
    {"do_sample": True, "top_p": 1, "typical_p": 1, "min_p": 1, "epsilon_cutoff": 0.99, "eta_cutoff": 0.99},
    {"do_sample": True, "top_k": 0, "min_p": 0, "epsilon_cutoff": 0, "eta_cutoff": 0, "seed": 0},
    {"prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 1},
    dict.fromkeys(OPTIONAL),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_a_bad_value_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field} "):
        GenerationConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("settings", "message"), CONFLICTS)
def test_settings_that_exclude_each_other_are_refused_with_a_remedy(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GenerationConfig(**settings)


@pytest.mark.parametrize("settings", AT_THE_LIMIT)
def test_the_last_good_value_is_accepted(settings: dict[str, Any]) -> None:
    config = GenerationConfig(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


def test_a_setting_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"max_tokens is not a setting.*max_new_tokens"):
        GenerationConfig().replace(max_tokens=3)


def test_one_stop_string_is_not_taken_for_its_letters() -> None:
    assert GenerationConfig(stop_strings="end").stop_strings == ("end",)


def test_one_rule_stands_for_itself() -> None:
    def rule(_ids: Any, logits: Any) -> Any:
        return logits

    assert GenerationConfig(logits_processors=rule).logits_processors == (rule,)  # type: ignore[arg-type]
    assert GenerationConfig(logits_processors=[rule, rule]).logits_processors == (rule, rule)


@pytest.mark.parametrize(
    "bias", [{(3, 4): 1, (5,): -2.5}, [([3, 4], 1), ((5,), -2.5)], [[[3, 4], 1.0], [np.array([5]), np.float64(-2.5)]]]
)
def test_biases_may_be_a_mapping_or_pairs(bias: Any) -> None:
    kept = GenerationConfig(sequence_bias=bias).sequence_bias
    assert kept == (((3, 4), 1.0), ((5,), -2.5))
    assert all(type(number) is float for _, number in kept)


@pytest.mark.parametrize(
    ("seed", "kept"), [(7, 7), ([7, 8], (7, 8)), ((7,), (7,)), (range(3), (0, 1, 2)), (None, None)]
)
def test_there_may_be_one_seed_or_several(seed: Any, kept: object) -> None:
    assert GenerationConfig(do_sample=True, seed=seed).seed == kept


def test_a_seed_may_have_any_number_of_digits() -> None:
    assert GenerationConfig(do_sample=True, seed=10**5000).seed == 10**5000


def test_token_ids_of_numpy_become_plain_numbers() -> None:
    config = GenerationConfig(
        suppress_tokens=np.array([3, 4]),  # type: ignore[arg-type]
        begin_suppress_tokens=[np.int64(5), 6],  # type: ignore[list-item]
        bad_words_ids=[np.array([7, 8], dtype=np.int32)],  # type: ignore[list-item]
    )
    tokens = [*config.suppress_tokens, *config.begin_suppress_tokens, *config.bad_words_ids[0]]
    assert tokens == [3, 4, 5, 6, 7, 8]
    assert all(type(token) is int for token in tokens)


def test_a_configuration_can_be_changed_again_and_again() -> None:
    config = GenerationConfig(do_sample=True, seed=[1, 2], sequence_bias={(3,): 1.0}, stop_strings="end")
    again = config.replace(max_new_tokens=3).replace(max_new_tokens=config.max_new_tokens)
    assert again == config
    assert hash(again) == hash(config)


@pytest.mark.parametrize(
    "settings",
    [
        {"eos_token_id": 100},
        {"eos_token_id": [2, 100]},
        {"forced_bos_token_id": 100},
        {"forced_eos_token_id": 100},
        {"suppress_tokens": [99, 100]},
        {"begin_suppress_tokens": [100]},
        {"bad_words_ids": [[3], [4, 100, 5]]},
        {"sequence_bias": {(3,): 1.0, (100, 4): 2.0}},
    ],
)
def test_a_token_outside_the_vocabulary_is_refused_with_its_setting(settings: dict[str, Any]) -> None:
    config = GenerationConfig(**settings)
    config.check_vocabulary(101)
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} names token 100, outside the vocabulary of 100"):
        config.check_vocabulary(100)


def test_a_configuration_cannot_change_under_a_running_generation() -> None:
    stops = ["a"]
    biases: dict[tuple[int, ...], float] = {(3,): 1.0}
    config = GenerationConfig(stop_strings=stops, sequence_bias=biases)
    stops.append("b")
    biases[4,] = 2.0
    assert config.stop_strings == ("a",)
    assert config.sequence_bias == (((3,), 1.0),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.max_new_tokens = 3  # type: ignore[misc]
