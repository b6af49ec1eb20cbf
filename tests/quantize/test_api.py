"""Quantizing and comparing in one call, as programs do it."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BundleError, ConfigError, PromptError, ProviderError, quantize
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize import Evaluation, HeadEvaluation, api, evaluate_bundle, quantize_bundle
from biogpt_onnx.runtime.bundle import read_manifest
from makers.bundles import export_with_head
from makers.checkpoints import SEQUENCE, lively_tensors, tiny_architecture, write_huggingface

CALIBRATION = ["The patient was treated with cisplatin.", "Insulin lowers glucose.", "Aspirin inhibits platelets."]
TEXTS = ["Lithium caused tremor in 2 of 9 patients.", "Seven mice, 12 rats and a long tail of words."]


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, worse than a guess. Tests must not change it."""
    folder, architecture = tmp_path_factory.mktemp("api"), tiny_architecture()
    checkpoint = write_huggingface(folder / "checkpoint", architecture, lively_tensors(architecture))
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests must not change it."""
    target = tmp_path_factory.mktemp("api") / "classifier"
    export_with_head(target, SEQUENCE)
    return target


def test_a_recipe_that_does_not_exist_is_refused_with_those_that_do(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"recipe is 'int2': choose one of .*int8.*auto"):
        quantize_bundle(tiny_bundle, tmp_path / "int2", "int2")
    assert not any(tmp_path.iterdir())


def test_a_bundle_beyond_its_limit_stays_and_does_not_pass(mini_bundle: Path, tmp_path: Path) -> None:
    done = quantize_bundle(mini_bundle, tmp_path / "int4", "int4", texts=TEXTS, max_perplexity_increase=-0.5)
    assert isinstance(done.evaluation, Evaluation)
    assert (done.passed, done.table()) == (False, done.evaluation.table(-0.5))
    record = read_manifest(tmp_path / "int4").evaluation
    assert record is not None
    assert (record["text"], record["num_documents"]) == ("given", 2)
    within = dataclasses.replace(done, max_perplexity_increase=10.0)
    assert within.passed
    assert within.table() != done.table()


def test_without_a_comparison_nothing_is_judged(tiny_bundle: Path, tmp_path: Path) -> None:
    done = quantize_bundle(tiny_bundle, tmp_path / "int8", evaluation=False)
    assert (done.passed, done.table(), done.evaluation, done.choice) == (True, "", None, None)
    assert done.manifest == read_manifest(tmp_path / "int8")


def test_the_search_says_what_it_chose_and_is_compared_with_what_it_may_spend(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    written: list[quantize.Quantization] = []
    stages: list[str] = []
    done = quantize_bundle(
        tiny_bundle,
        tmp_path / "auto",
        "auto",
        calibration=CALIBRATION,
        texts=TEXTS,
        max_perplexity_increase=1e9,
        report=lambda stage, _done, _total: stages.append(stage),
        written=written.append,
    )
    assert done.choice is not None
    assert set(done.manifest.layer_precisions or {}) == {*done.choice.recipe.overrides, "embed_tokens"}
    assert (done.max_perplexity_increase, written[0].evaluation) == (1e9, None)
    assert isinstance(done.evaluation, Evaluation)
    assert stages[-1] == "evaluating"
    assert len(set(stages)) > 1


def test_the_search_is_not_judged_by_the_texts_that_it_saw(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        quantize_bundle(tiny_bundle, tmp_path / "auto", "auto", calibration=CALIBRATION, texts=CALIBRATION[1:])
    assert not any(tmp_path.iterdir())


def test_a_comparison_that_cannot_run_here_is_refused_before_anything_is_written(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ProviderError("bf16 runs on GPUs alone")

    monkeypatch.setattr(api, "choose_backend", refuse)
    with pytest.raises(ProviderError, match="bf16 runs on GPUs alone; or leave out the comparison"):
        quantize_bundle(tiny_bundle, tmp_path / "bf16", "bf16", texts=TEXTS)
    assert not any(tmp_path.iterdir())
    assert quantize_bundle(tiny_bundle, tmp_path / "bf16", "bf16", evaluation=False).manifest.precision == "bf16"


def test_without_the_packages_that_it_needs_the_error_says_what_to_install() -> None:
    program = (
        "import sys\nsys.modules['onnx_ir'] = None\nfrom biogpt_onnx import BundleError, quantize\n"
        "quantize.evaluate_bundle\n"
        "try:\n    quantize.quantize_bundle\nexcept BundleError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "quantize needs more packages" in run.stdout
    assert "biogpt-onnx[export]" in run.stdout


def test_bundles_are_compared_as_what_they_are(tiny_bundle: Path, classifier: Path, tmp_path: Path) -> None:
    quantize_bundle(tiny_bundle, tmp_path / "model", "int4", evaluation=False)
    quantize_bundle(classifier, tmp_path / "classifier", "int4", evaluation=False)
    models = evaluate_bundle(tmp_path / "model", tiny_bundle, TEXTS, prompts=0)
    classifiers = evaluate_bundle(tmp_path / "classifier", classifier, TEXTS)
    assert isinstance(models, Evaluation)
    assert isinstance(classifiers, HeadEvaluation)
    assert classifiers.num_documents == len(TEXTS)


def test_a_classifier_is_judged_by_no_limit(classifier: Path, tmp_path: Path) -> None:
    done = quantize_bundle(classifier, tmp_path / "int8", texts=TEXTS)
    assert (done.passed, done.max_perplexity_increase) == (True, None)
    assert isinstance(done.evaluation, HeadEvaluation)
    assert done.table() == done.evaluation.table()


def test_a_classifier_and_a_language_model_are_not_compared(tiny_bundle: Path, classifier: Path) -> None:
    with pytest.raises(BundleError, match="has a classification head, and cannot be compared with a language model"):
        evaluate_bundle(tiny_bundle, classifier, TEXTS)
    with pytest.raises(BundleError, match="has no classification head, and cannot be compared with a classifier"):
        evaluate_bundle(classifier, tiny_bundle, TEXTS)


def test_a_classifier_is_not_compared_on_a_device_on_which_it_cannot_run(classifier: Path) -> None:
    with pytest.raises(ConfigError, match="device is cuda, but classifiers run on the CPU only"):
        evaluate_bundle(classifier, classifier, TEXTS, device="cuda")


@pytest.mark.parametrize("texts", [[], ["", " \n"]])
def test_a_comparison_on_no_text_is_refused(tiny_bundle: Path, classifier: Path, texts: list[Any]) -> None:
    for bundle in (tiny_bundle, classifier):
        with pytest.raises(PromptError, match="no text to evaluate on"):
            evaluate_bundle(bundle, bundle, texts)
