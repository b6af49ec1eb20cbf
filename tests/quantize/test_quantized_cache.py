"""Making bundles whose sequences step over a cache in 8 bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx import quantize
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.calibration.cache_scales import calibrate_cache, long_sequences
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.chunks import chunks
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import (
    CACHE_SCALES_FILE,
    QUANTIZED_CACHE_FORMAT_VERSION,
    ClassificationHead,
    check_files,
    read_manifest,
)
from biogpt_onnx.runtime.errors import ConfigError
from makers.bundles import export_with_head
from makers.outliers import write_outlier_checkpoint

MAX_DIVERGENCE = 0.003
"""Largest growth of the KL divergence from float32, in nats, where all text goes through the cache.

It bounds what a text loses. Perplexity itself goes up and down by as much whenever something is rounded otherwise.
"""


LONG_TEXTS = [" ".join(evaluation_texts()[first : first + 6]) for first in range(0, 24, 6)]
"""Texts that reach far beyond the length of a passage to calibrate with, where keys and values have drifted."""


@pytest.fixture(scope="module")
def outlier_bundle(mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint with six channels of every layer's inputs, values too, a hundred times larger."""
    folder = tmp_path_factory.mktemp("outliers")
    checkpoint = write_outlier_checkpoint(mini_checkpoint, folder / "checkpoint", factor=100, channels=6)
    export_bundle(open_checkpoint(str(checkpoint)), folder / "bundle")
    return folder / "bundle"


def divergences(source: Path, folder: Path, recipe: str) -> dict[str, float]:
    found = {}
    for cache in ("float32", "int8"):
        target = folder / f"{source.name}-{recipe}-{cache}"
        quantize_bundle(source, target, dataclasses.replace(RECIPES[recipe], cache=cache))
        found[cache] = evaluate(target, source, LONG_TEXTS, prompts=0).kl_divergence.value
    return found


@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_answers_hardly_change(recipe: str, mini_bundle: Path, tmp_path: Path) -> None:
    found = divergences(mini_bundle, tmp_path, recipe)
    # Equal numbers would mean that the cache in 8 bits is not what was evaluated.
    assert 0 < abs(found["int8"] - found["float32"]) < MAX_DIVERGENCE


def test_outliers_in_values_cost_nothing(outlier_bundle: Path, tmp_path: Path) -> None:
    found = divergences(outlier_bundle, tmp_path, "int8")
    assert found["int8"] - found["float32"] < MAX_DIVERGENCE


def test_the_bundle_says_what_its_cache_is(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "small"
    command = [
        "quantize",
        str(mini_bundle),
        "-o",
        str(target),
        "--recipe",
        "int4",
        "--cache",
        "int8",
        "--no-evaluation",
    ]
    assert main(command) == 0
    manifest = read_manifest(target)
    assert manifest.format_version == QUANTIZED_CACHE_FORMAT_VERSION
    assert manifest.cache is not None
    assert manifest.cache["type"] == "int8"
    assert manifest.cache["tokens"] > 1000
    check_files(target, manifest, contents=True)
    capsys.readouterr()
    assert main(["info", str(target), "--check"]) == 0
    assert "sequences step over keys and values in int8, with scales from" in capsys.readouterr().out


def test_equal_calls_write_equal_scales(mini_bundle: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPES["int4"], cache="int8")
    for name in ("one", "other"):
        quantize_bundle(mini_bundle, tmp_path / name, recipe, texts=["Aspirin reduces pain in most patients."])
    assert (tmp_path / "one" / CACHE_SCALES_FILE).read_bytes() == (tmp_path / "other" / CACHE_SCALES_FILE).read_bytes()


def test_no_value_of_the_calibration_text_is_clipped(mini_bundle: Path) -> None:
    manifest = read_manifest(mini_bundle)
    scales = calibrate_cache(mini_bundle, manifest, {}, None)
    session = DecoderSession(mini_bundle, manifest)
    for ids in long_sequences(mini_bundle, manifest.architecture, None)[:2]:
        assert ids.shape == (1, manifest.architecture.max_positions)
        cache = session.new_cache(1, ids.shape[1])
        for chunk in chunks(0, ids.shape[1]):
            session.forward(ids[:, chunk], cache)
        for layer in range(manifest.architecture.num_layers):
            found = cache.values(layer, 0)
            centers = scales.key_centers[layer].reshape(found.shape[1], 1, found.shape[3])
            codes = np.stack([found[0] - centers, found[1]]) / scales.values[layer][:, :, None]
            # Scales do not come out larger than the grid that they are on makes them.
            assert 20 < np.abs(codes).max() < 127.01


@pytest.mark.parametrize(
    ("recipe", "cache", "named"),
    [
        ("int8", "int4", "cache is 'int4': choose one of float32, int8"),
        ("fp16", "int8", "recipe fp16 has no cache in int8: choose recipe int8, int8-weights or int4"),
        ("int8-int4", "int8", "recipe int8-int4 has no cache in int8"),
        ("int8-dynamic", "int8", "recipe int8-dynamic has no cache in int8"),
        ("auto", "int8", "recipe auto has a float32 cache only, cache is 'int8'"),
    ],
)
def test_a_cache_that_a_recipe_does_not_have_is_refused(
    recipe: str, cache: str, named: str, mini_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=named):
        quantize.quantize_bundle(mini_bundle, tmp_path / "small", recipe, cache=cache)
    assert not (tmp_path / "small").exists()


def test_a_classifier_which_never_steps_has_no_such_cache(tmp_path: Path) -> None:
    head = ClassificationHead("sequence-classification", ("no", "yes"), problem_type="single_label_classification")
    export_with_head(tmp_path / "fp32", head)
    with pytest.raises(ConfigError, match="for language models, the bundle has a sequence-classification head"):
        quantize.quantize_bundle(tmp_path / "fp32", tmp_path / "small", "int8", cache="int8")
