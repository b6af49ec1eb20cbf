import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx import BundleError, ConfigError
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.auto.automatic import quantize_automatically
from biogpt_onnx.quantize.evaluate.head_evaluation import evaluate_head
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.bundle import CAUSAL_MODEL_FILE, MODEL_FILE, ClassificationHead, read_manifest
from conftest import MakeOnce
from makers.checkpoints import SEQUENCE, TOKENS, random_tensors, tiny_architecture, write_huggingface

ARCHITECTURE = tiny_architecture(hidden_size=64, num_heads=2, max_positions=120)
TEXTS = ["Lithium caused tremor in 2 of 9.", "COVID-19 & TNF-alpha (p<0.05).", "Aspirin", "a b c " * 12]
MULTI = dataclasses.replace(SEQUENCE, problem_type="multi_label_classification")
REGRESSION = dataclasses.replace(SEQUENCE, problem_type="regression")


@pytest.fixture(scope="module")
def bundles(make_once: MakeOnce) -> dict[ClassificationHead, Path]:
    def made(name: str, head: ClassificationHead) -> Path:
        tensors = random_tensors(ARCHITECTURE, scale=0.1, head=head)
        checkpoint = make_once(f"{name}-ck", lambda to: write_huggingface(to, ARCHITECTURE, tensors, head=head))
        return make_once(name, lambda to: export_bundle(open_checkpoint(checkpoint), to))

    heads = {"q-sequence": SEQUENCE, "q-tokens": TOKENS, "q-multi": MULTI, "q-regression": REGRESSION}
    return {head: made(name, head) for name, head in heads.items()}


@pytest.mark.parametrize("recipe", ["int8", "int8-weights", "int4", "int8-dynamic", "fp16"])
@pytest.mark.parametrize("head", [SEQUENCE, TOKENS], ids=["sequence", "tokens"])
def test_every_recipe_keeps_the_head_and_labels_nearly_the_same(
    bundles: dict[ClassificationHead, Path], tmp_path: Path, head: ClassificationHead, recipe: str
) -> None:
    manifest = quantize_bundle(bundles[head], tmp_path / "small", RECIPES[recipe])
    assert (manifest.head, manifest.causal) == (head, None)
    assert not (tmp_path / "small" / CAUSAL_MODEL_FILE).exists()
    weights = onnx.load(tmp_path / "small" / MODEL_FILE, load_external_data=False).graph.initializer
    (stored,) = (weight for weight in weights if weight.name.startswith(f"{head.layer}.weight"))
    half = recipe == "fp16"
    assert stored.data_type == (onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT)
    evaluation = evaluate_head(tmp_path / "small", bundles[head], TEXTS)
    assert evaluation.mean_difference.value < (0.06 if recipe == "int4" else 0.02)
    assert evaluation.largest_difference > 0
    assert evaluation.num_documents == len(TEXTS)


def test_a_quantized_answer_is_to_the_last_bit_that_of_the_text_alone(
    bundles: dict[ClassificationHead, Path], tmp_path: Path
) -> None:
    for head in (SEQUENCE, TOKENS):
        target = tmp_path / head.kind
        quantize_bundle(bundles[head], target, RECIPES["int8"])
        model = biogpt_onnx.load(target, warm_up=False)
        answer = model.classify_texts if head is SEQUENCE else model.tag_tokens
        assert answer(TEXTS) == [answer(text) for text in TEXTS]


def test_a_bundle_beside_itself_does_not_differ(bundles: dict[ClassificationHead, Path]) -> None:
    for head, bundle in bundles.items():
        evaluation = evaluate_head(bundle, bundle, TEXTS)
        assert (evaluation.mean_difference.value, evaluation.largest_difference) == (0, 0)
        assert (evaluation.same_labels is None) == (head is REGRESSION)
        if evaluation.same_labels is not None:
            assert evaluation.same_labels.value == 1
        rows = sum(len(biogpt_onnx.load(bundle, warm_up=False).tokenizer.encode(text)) - 1 for text in TEXTS)
        assert evaluation.num_decisions == (rows if head is TOKENS else len(TEXTS))
        assert ("probability" in evaluation.table()) == (head is not REGRESSION)


def test_bundles_of_two_heads_are_not_compared(bundles: dict[ClassificationHead, Path]) -> None:
    with pytest.raises(BundleError, match="another head"):
        evaluate_head(bundles[SEQUENCE], bundles[MULTI], TEXTS)


def test_what_needs_a_language_model_or_a_gpu_is_refused(
    bundles: dict[ClassificationHead, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="recipe auto searches by perplexity"):
        quantize_automatically(bundles[TOKENS], tmp_path / "auto")
    with pytest.raises(ConfigError, match="recipe bf16 is for GPUs alone"):
        quantize_bundle(bundles[TOKENS], tmp_path / "bf16", RECIPES["bf16"])
    assert list(tmp_path.iterdir()) == []


def test_the_command_compares_records_and_shows_the_result(
    bundles: dict[ClassificationHead, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = str(bundles[TOKENS]), tmp_path / "small"
    text = tmp_path / "text.txt"
    text.write_text("\n".join(TEXTS), encoding="utf-8")
    assert main(["quantize", source, "-o", str(target), "--recipe", "int8", "--text", str(text)]) == 0
    assert "same labels" in capsys.readouterr().out
    report = read_manifest(target).evaluation
    assert report is not None
    assert (report["text"], report["num_documents"], report["kind"]) == ("given", 4, "token-classification")
    assert main(["info", str(target)]) == 0
    assert "decisions on given text as in float32" in capsys.readouterr().out
    assert main(["evaluate", str(target), "--baseline", source, "--text", str(text), "--json"]) == 0
    assert '"same_labels"' in capsys.readouterr().out
    for command in (
        ["quantize", source, "-o", str(tmp_path / "x"), "--recipe", "int8", "--max-perplexity-increase", "1%"],
        ["evaluate", str(target), "--baseline", source, "--text", str(text), "--max-perplexity-increase", "1%"],
    ):
        assert main(command) == 2
        assert "--max-perplexity-increase is for language models" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_classifiers_logits_that_are_not_finite_are_refused(
    bundles: dict[ClassificationHead, Path], tmp_path: Path
) -> None:
    tensors = random_tensors(ARCHITECTURE, scale=0.1, head=SEQUENCE)
    tensors["score.weight"] = np.full_like(tensors["score.weight"], 3e38)
    checkpoint = write_huggingface(tmp_path / "ck", ARCHITECTURE, tensors, head=SEQUENCE)
    export_bundle(open_checkpoint(checkpoint), tmp_path / "bundle")
    with pytest.raises(BundleError, match="logits that are not finite"):
        evaluate_head(tmp_path / "bundle", bundles[SEQUENCE], TEXTS)
