"""Bundles whose 4-bit weights are rounded by GPTQ: nearer to float32, and said to be so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx import ConfigError, quantize
from biogpt_onnx.cli import main
from biogpt_onnx.quantize import Evaluation
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, read_manifest
from conftest import MakeOnce


@pytest.fixture(scope="module")
def rounded(mini_bundle: Path, make_once: MakeOnce) -> Path:
    return make_once(
        "mini-int4-gptq",
        lambda target: quantize.quantize_bundle(mini_bundle, target, "int4", rounding="gptq", evaluation=False),
    )


def test_answers_are_nearer_to_those_of_the_float32_bundle(
    rounded: Path, mini_by: Callable[[str], Path], mini_bundle: Path
) -> None:
    texts = evaluation_texts()[:4]
    found, nearest = (
        quantize.evaluate_bundle(bundle, mini_bundle, texts=texts) for bundle in (rounded, mini_by("int4"))
    )
    assert isinstance(found, Evaluation)
    assert isinstance(nearest, Evaluation)
    assert found.kl_divergence.value < 0.7 * nearest.kl_divergence.value


def test_only_4_bit_weights_and_their_scales_differ(rounded: Path, mini_by: Callable[[str], Path]) -> None:
    gptq, nearest = read_manifest(rounded), read_manifest(mini_by("int4"))
    lineage = dict(gptq.lineage or {})
    assert lineage.pop("rounding") == "gptq"
    assert replace(gptq, lineage=lineage, files={}) == replace(nearest, files={})
    sizes = [{name: record.size for name, record in each.files.items()} for each in (gptq, nearest)]
    assert sizes[0] == sizes[1]
    differing = [name for name, record in gptq.files.items() if record.sha256 != nearest.files[name].sha256]
    assert differing == [WEIGHTS_FILE]


def test_the_same_inputs_give_the_same_bundle(rounded: Path, mini_bundle: Path, tmp_path: Path) -> None:
    again = quantize.quantize_bundle(mini_bundle, tmp_path / "again", "int4", rounding="gptq", evaluation=False)
    assert again.manifest == read_manifest(rounded)


def test_steps_of_a_bundle_with_two_graphs_are_rounded_too(
    mini_bundle: Path, mini_by: Callable[[str], Path], rounded: Path, tmp_path: Path
) -> None:
    quantize.quantize_bundle(mini_bundle, tmp_path / "both", "int8-int4", rounding="gptq", evaluation=False)
    prompt = "The patient was treated with"
    texts = []
    for bundle in (tmp_path / "both", mini_by("int8-int4"), rounded):
        with biogpt_onnx.load(bundle, device="cpu") as model:
            texts.append(model.generate(prompt, max_new_tokens=40).token_ids)
    assert texts[0] != texts[1]


def test_info_says_how_a_bundle_was_rounded(rounded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(rounded), "--lineage"]) == 0
    assert "rounding:     gptq" in capsys.readouterr().out


REFUSED = {
    ("int4", "down"): "rounding is 'down': choose one of nearest, gptq",
    ("int8", "gptq"): "recipe int8 has none: choose recipe int4",
    ("fp16", "gptq"): "recipe fp16 has none",
    ("int8-dynamic", "gptq"): "recipe int8-dynamic has none",
    ("auto", "gptq"): "recipe auto rounds to the nearest only",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_what_cannot_be_rounded_so_is_refused_before_anything_is_written(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, str]
) -> None:
    (recipe, rounding), said, target = asked, REFUSED[asked], tmp_path / "made"
    with pytest.raises(ConfigError, match=said):
        quantize.quantize_bundle(mini_bundle, target, recipe, rounding=rounding)
    words = ["quantize", str(mini_bundle), "-o", str(target), "--recipe", recipe, "--rounding", rounding]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not target.exists()
