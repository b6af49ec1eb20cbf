"""What the page is told of a bundle, and which bundles it cannot take."""

from dataclasses import replace
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, FileRecord, GraphSpec, Manifest, read_manifest
from biogpt_onnx.runtime.decoding.config import SETTING_NAMES
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.added_tokens import AddedToken
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS
from biogpt_onnx.web.description import (
    PAGE_SETTINGS,
    describe,
    describe_tokenizer,
    note_on_speed,
    note_on_tokens,
    refuse_unsuitable,
)
from makers.web import SETTINGS


@pytest.fixture
def manifest(mini_bundle: Path) -> Manifest:
    return read_manifest(mini_bundle)


def test_the_settings_of_the_page_are_settings_of_python() -> None:
    assert set(PAGE_SETTINGS) == set(SETTINGS)
    assert set(PAGE_SETTINGS) <= set(SETTING_NAMES)


def test_half_precision_and_weights_beyond_webassembly_are_refused(manifest: Manifest) -> None:
    refuse_unsuitable("mini", manifest)
    inputs = tuple(replace(spec, dtype="float16") if spec.name.startswith("past") else spec for spec in manifest.inputs)
    with pytest.raises(ConfigError, match="which no browser computes: quantize the fp32 bundle by int8 or int4"):
        refuse_unsuitable("half", replace(manifest, inputs=inputs, precision="fp16"))
    files = {**manifest.files, WEIGHTS_FILE: FileRecord(2**31 + 1, "0" * 64)}
    with pytest.raises(ConfigError, match=r"weights of 2\.1 GB, and WebAssembly has 4 GB"):
        refuse_unsuitable("large", replace(manifest, files=files))


def test_a_bundle_that_generates_by_a_second_graph_is_refused(manifest: Manifest) -> None:
    # The page would write what the graph that reads computes, which are other tokens.
    with pytest.raises(ConfigError, match="generates by another graph than it reads"):
        refuse_unsuitable("both", replace(manifest, steps=GraphSpec(manifest.inputs, manifest.outputs)))


def test_only_float32_promises_the_tokens_of_python(manifest: Manifest) -> None:
    assert note_on_tokens(manifest) == "It writes the tokens that biogpt-onnx writes in Python."
    for recipe in ("int8", "int4", "int8-weights", "int8-dynamic", "auto", "some-later-recipe"):
        assert f"In {recipe}, WebAssembly rounds" in note_on_tokens(replace(manifest, recipe=recipe, precision="int8"))


def test_recipes_that_are_slow_in_a_browser_say_so(manifest: Manifest) -> None:
    assert [note_on_speed(replace(manifest, recipe=recipe)) for recipe in (None, "int8")] == [None, None]
    for recipe in ("int4", "int8-weights", "auto"):
        said = note_on_speed(replace(manifest, recipe=recipe))
        assert said is not None
        assert f"no kernels for {recipe}" in said


def test_defaults_that_the_page_lacks_are_named_and_not_passed_on(manifest: Manifest, mini: biogpt_onnx.BioGPT) -> None:
    chosen = replace(manifest, generation={"num_beams": 5, "length_penalty": 2.0, "max_new_tokens": 9})
    found = describe("mini", chosen, mini.tokenizer, 8000)
    assert found["defaults"] == {"max_new_tokens": 9}
    assert found["note"].endswith("also chose length_penalty, num_beams, which the page does not have.")


@pytest.mark.parametrize("rule", ["lstrip", "rstrip", "single_word"])
def test_an_added_token_with_rules_is_refused(rule: str) -> None:
    token = AddedToken(len(SPECIAL_TOKENS), "[DRUG]", **{rule: True})
    tokenizer = BioGptTokenizer(SPECIAL_TOKENS, [], added_tokens=[token])
    with pytest.raises(ConfigError, match=r"added token '\[DRUG\]' takes white space or stands alone"):
        describe_tokenizer(tokenizer, len(SPECIAL_TOKENS))
