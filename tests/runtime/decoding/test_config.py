import dataclasses
import inspect
import sys
from fractions import Fraction
from typing import Any, Unpack, get_type_hints

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx.runtime.decoding.config import GenerationConfig, check_logprobs
from biogpt_onnx.runtime.decoding.settings import Settings
from biogpt_onnx.runtime.errors import ConfigError

COUNTS = ["max_new_tokens", "max_length", "num_beams", "num_return_sequences", "max_matching_ngram_size"]
COUNTS_OR_NONE = [
    "min_new_tokens",
    "min_length",
    "top_k",
    "no_repeat_ngram_size",
    "prompt_lookup_num_tokens",
    "logprobs",
]
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
    "presence_penalty",
    "frequency_penalty",
]
TOKENS = ["eos_token_id", "forced_bos_token_id", "forced_eos_token_id"]
TOKEN_LISTS = ["suppress_tokens", "begin_suppress_tokens"]
FLAGS = ["do_sample", "special_tokens", "normalize_punctuation"]
OPTIONAL = ["max_time", "max_length", "eos_token_id", "seed", "forced_bos_token_id", "forced_eos_token_id"]

BAD_VALUES: list[tuple[str, object]] = [
    *((name, value) for name in COUNTS for value in (0, -1, 3.0, True, "5")),
    *((name, value) for name in COUNTS_OR_NONE for value in (-1, 3.0, True, "5")),
    *(
        (name, value)
        for name in NUMBERS
        for value in (True, "0.5", [0.5], float("nan"), float("inf"), 10**400, Fraction(10**400))
    ),
    *((name, value) for name in TOKENS for value in (-2, 1.0, True, "</s>")),
    *(("eos_token_id", value) for value in ([], [-1], ["2"], [True], [2.0])),
    *((name, value) for name in TOKEN_LISTS for value in (3, "34", b"34", {3}, ["3"], [3.0], [True], [-1], [[3]])),
    *((name, np.array(value)) for name in TOKEN_LISTS for value in (3, [3.0], [True], [[3]])),
    *((name, value) for name in FLAGS for value in (0, 1, "yes")),
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
    *((name, value) for name in ("presence_penalty", "frequency_penalty") for value in (-2.01, 2.01)),
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
    ("stopping_criteria", 3),
    ("stopping_criteria", [3]),
    *(("length_penalty", value) for value in (1000, -1000, 50.01, -50.01)),
    ("truncation", "middle"),
    ("truncation", ["left"]),
]

CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"min_new_tokens": 5, "max_new_tokens": 4}, "min_new_tokens is 5.*max_new_tokens 4: raise"),
    ({"max_length": 9, "max_new_tokens": 4}, "max_length is 9 and max_new_tokens 4: give one"),
    ({"min_length": 9, "min_new_tokens": 4}, "min_length is 9 and min_new_tokens 4: give one"),
    ({"min_length": 9, "max_length": 8}, "min_length is 9, above max_length 8: raise"),
    ({"max_length": 9, "truncation": "left"}, "truncation is 'left' and max_length 9: give max_new_tokens"),
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
    {"presence_penalty": -2, "frequency_penalty": 2},
    {"presence_penalty": 2, "frequency_penalty": -2, "repetition_penalty": 0.001},
    {"max_new_tokens": 1, "max_time": 0.001, "forced_bos_token_id": 0, "forced_eos_token_id": 0, "eos_token_id": 0},
    {"max_length": 1, "min_length": 1, "no_repeat_ngram_size": 0, "logprobs": 0},
    {"num_beams": 2, "length_penalty": 50},
    {"num_beams": 2, "length_penalty": -50},
    {"do_sample": True, "temperature": 0.001, "top_p": 0.001, "typical_p": 0.001},
    {"do_sample": True, "top_p": 1, "typical_p": 1, "min_p": 1, "epsilon_cutoff": 0.99, "eta_cutoff": 0.99},
    {"do_sample": True, "top_k": 0, "min_p": 0, "epsilon_cutoff": 0, "eta_cutoff": 0, "seed": 0},
    {"prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 1},
    dict.fromkeys(OPTIONAL),
]


DEFAULTS: dict[str, Any] = {
    "max_new_tokens": 64,
    "min_new_tokens": 0,
    "max_length": None,
    "min_length": 0,
    "max_time": None,
    "eos_token_id": "model",
    "stop_strings": (),
    "stopping_criteria": (),
    "num_beams": 1,
    "num_return_sequences": 1,
    "length_penalty": 1.0,
    "early_stopping": False,
    "do_sample": False,
    "seed": None,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "no_repeat_ngram_size": 0,
    "bad_words_ids": (),
    "sequence_bias": (),
    "suppress_tokens": (),
    "begin_suppress_tokens": (),
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "logits_processors": (),
    "prompt_lookup_num_tokens": 0,
    "max_matching_ngram_size": 3,
    "truncation": "error",
    "special_tokens": False,
    "normalize_punctuation": False,
    "logprobs": 0,
}


def test_without_settings_every_rule_is_off() -> None:
    config = GenerationConfig()
    assert {field.name: getattr(config, field.name) for field in dataclasses.fields(config)} == DEFAULTS
    # True equals 1.
    assert {name: type(getattr(config, name)) for name in DEFAULTS} == {
        name: type(value) for name, value in DEFAULTS.items()
    }


@pytest.mark.parametrize("logprobs", [None, 0, 5])
def test_at_most_as_many_log_probabilities_are_asked_for_as_there_are_tokens(logprobs: int | None) -> None:
    assert check_logprobs(logprobs, 5) == (logprobs or 0)
    with pytest.raises(ConfigError, match="logprobs is 6, the vocabulary has 5 tokens: give at most as many"):
        GenerationConfig(logprobs=6).check_vocabulary(5)
    for bad in (-1, True, "5"):
        with pytest.raises(ConfigError, match=r"^logprobs is"):
            check_logprobs(bad, 5)


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


def test_none_is_the_default_of_every_setting() -> None:
    nothing: dict[str, Any] = dict.fromkeys(GenerationConfig.__dataclass_fields__)
    assert GenerationConfig(**nothing) == GenerationConfig(eos_token_id=None)
    busy = GenerationConfig(num_beams=3, early_stopping=True, stop_strings="a", max_new_tokens=9)
    assert busy.replace(**nothing) == GenerationConfig(eos_token_id=None)


def test_the_types_of_keyword_arguments_are_those_of_the_fields() -> None:
    assert list(Settings.__annotations__) == list(GenerationConfig.__dataclass_fields__)
    assert Settings.__total__ is False
    for method in ("generate", "agenerate", "generate_ids", "stream", "stream_pieces", "astream"):
        signature = inspect.signature(getattr(biogpt_onnx.BioGPT, method))
        assert signature.parameters["settings"].annotation == "Unpack[Settings]", method
        assert len(str(signature)) < 400, "an editor shows it in a few lines"
        assert get_type_hints(getattr(biogpt_onnx.BioGPT, method))["settings"] == Unpack[Settings]


@pytest.mark.parametrize("convert", [np.int64, np.int32, np.array, "torch"])
def test_whole_numbers_of_other_libraries_are_numbers(convert: Any) -> None:
    convert = pytest.importorskip("torch").tensor if convert == "torch" else convert
    config = GenerationConfig(
        max_new_tokens=convert(5),
        no_repeat_ngram_size=convert(3),
        seed=convert(7),
        do_sample=True,
        temperature=convert(2),
        eos_token_id=convert(4),
        suppress_tokens=[convert(6)],
    )
    values = (config.max_new_tokens, config.no_repeat_ngram_size, config.seed, config.eos_token_id)
    assert values == (5, 3, 7, 4)
    assert {type(value) for value in (*values, *config.suppress_tokens)} == {int}
    assert (config.temperature, type(config.temperature)) == (2.0, float)


@pytest.mark.parametrize("convert", [np.float32, np.float64, np.array, Fraction, "torch"])
def test_numbers_of_other_libraries_are_numbers(convert: Any) -> None:
    convert = pytest.importorskip("torch").tensor if convert == "torch" else convert
    config = GenerationConfig(do_sample=True, temperature=convert(0.5))
    assert (config.temperature, type(config.temperature)) == (0.5, float)
    with pytest.raises(ConfigError, match=r"^top_p is .*(2\.5|5, 2)"):
        GenerationConfig(do_sample=True, top_p=convert(2.5))


def test_truth_values_of_other_libraries_are_no_numbers() -> None:
    assert GenerationConfig(do_sample=np.True_).do_sample is True  # type: ignore[arg-type]
    assert GenerationConfig(num_beams=2, early_stopping=np.bool_(0)).early_stopping is False  # type: ignore[arg-type]
    for value in (np.True_, np.array([True])[0], np.array([True]).reshape(())):
        with pytest.raises(ConfigError, match=r"^num_beams is"):
            GenerationConfig(num_beams=value)  # type: ignore[arg-type]


def test_arrays_and_tensors_of_ids_are_lists() -> None:
    tensor = pytest.importorskip("torch").tensor
    config = GenerationConfig(
        suppress_tokens=tensor([3, 4]),
        bad_words_ids=tensor([[5, 6], [7, 8]]),
        eos_token_id=np.array([2, 9]),  # type: ignore[arg-type]
        seed=np.array([1, 2]),  # type: ignore[arg-type]
        do_sample=True,
    )
    assert config.suppress_tokens == (3, 4)
    assert config.bad_words_ids == ((5, 6), (7, 8))
    assert (config.eos_token_id, config.seed) == ((2, 9), (1, 2))
    with pytest.raises(ConfigError, match=r"^suppress_tokens holds 3\.5"):
        GenerationConfig(suppress_tokens=tensor([3.5]))


def test_a_number_may_be_as_large_as_any_and_no_larger() -> None:
    assert GenerationConfig(do_sample=True, temperature=sys.float_info.max).temperature == sys.float_info.max
    for value in (float("inf"), float("nan"), 2 * 10**308, Fraction(10**400)):
        with pytest.raises(ConfigError, match=r"^temperature is .*: give a number above 0$"):
            GenerationConfig(do_sample=True, temperature=value)  # type: ignore[arg-type]


def test_an_error_shows_a_large_value_in_one_short_line() -> None:
    with pytest.raises(ConfigError, match=r"^top_k is") as caught:
        GenerationConfig(do_sample=True, top_k=np.zeros((30, 30)))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    with pytest.raises(ConfigError, match=r"^top_p is a value that is too long to show"):
        GenerationConfig(do_sample=True, top_p=10**5000)


def test_of_two_lengths_that_say_the_same_the_later_one_counts() -> None:
    config = GenerationConfig(max_new_tokens=9, min_new_tokens=2).replace(max_length=20, min_length=5)
    assert (config.max_new_tokens, config.min_new_tokens) == (None, 0)
    assert (config.max_length, config.min_length) == (20, 5)
    assert config.most_new_tokens(12) == 8
    again = config.replace(max_new_tokens=3, min_new_tokens=1)
    assert (again.max_length, again.min_length, again.most_new_tokens(12)) == (None, 0, 3)
    with pytest.raises(ConfigError, match="max_length is 20, which counts the prompt, too, and a prompt has 20 tokens"):
        config.most_new_tokens(20)


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
