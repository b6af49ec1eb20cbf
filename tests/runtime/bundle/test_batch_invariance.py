"""What is promised of a bundle is what its recipe promises."""

import dataclasses
from pathlib import Path

import pytest

from biogpt_onnx.quantize.recipes import INTEGER_RECIPES, RECIPES
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant


@pytest.mark.parametrize("name", INTEGER_RECIPES)
def test_a_bundle_promises_what_its_recipe_does(mini_bundle: Path, name: str) -> None:
    manifest = dataclasses.replace(read_manifest(mini_bundle), recipe=name)
    recipe = RECIPES[name]
    assert is_batch_invariant(manifest, has_avx512=False) == recipe.batch_invariant
    assert is_batch_invariant(manifest, has_avx512=True) == recipe.batch_invariant_with_avx512


def test_an_exported_bundle_promises_it_and_an_unknown_recipe_does_not(mini_bundle: Path) -> None:
    manifest = read_manifest(mini_bundle)
    assert is_batch_invariant(manifest, has_avx512=True)
    for name in ("auto", "of-tomorrow"):
        assert not is_batch_invariant(dataclasses.replace(manifest, recipe=name), has_avx512=False)
