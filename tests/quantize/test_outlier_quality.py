"""Every recipe on the embedded checkpoint and on its outlier checkpoint."""

from pathlib import Path

import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.opened_graph import runs_on_cpu
from makers.outliers import write_outlier_checkpoint


@pytest.fixture(scope="module")
def outlier_bundle(mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint with six channels of every layer's inputs a hundred times larger, as a bundle."""
    folder = tmp_path_factory.mktemp("outliers")
    checkpoint = write_outlier_checkpoint(mini_checkpoint, folder / "checkpoint", factor=100, channels=6)
    export_bundle(open_checkpoint(str(checkpoint)), folder / "bundle")
    return folder / "bundle"


def evaluated(source: Path, target: Path, name: str) -> Evaluation:
    quantize_bundle(source, target, RECIPES[name])
    return evaluate(target, source, evaluation_texts(), prompts=0)


# What only a GPU runs is held to the same by `test_half`.
RECIPES_HERE = [name for name, recipe in RECIPES.items() if recipe.batch_invariant and runs_on_cpu(recipe.precision)]


@pytest.mark.parametrize("name", RECIPES_HERE)
def test_outliers_cost_a_recipe_nothing(name: str, mini_bundle: Path, outlier_bundle: Path, tmp_path: Path) -> None:
    plain, hard = evaluated(mini_bundle, tmp_path / "plain", name), evaluated(outlier_bundle, tmp_path / "hard", name)
    for evaluation in (plain, hard):
        # Four bits cost so narrow a model more than the recipe's gate allows, with outliers or without.
        allowed = 0.1 if "int4" in name else RECIPES[name].max_perplexity_increase
        assert evaluation.passed(allowed), evaluation.table()
    assert hard.kl_divergence.value < 1.5 * plain.kl_divergence.value


def test_without_smoothing_outliers_wreck_the_answers(outlier_bundle: Path, tmp_path: Path) -> None:
    assert evaluated(outlier_bundle, tmp_path / "naive", "int8-dynamic").perplexity_increase.value > 0.05
