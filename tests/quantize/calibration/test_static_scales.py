from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.calibration import static_scales
from biogpt_onnx.quantize.calibration.input_errors import InputErrors
from biogpt_onnx.quantize.calibration.static_scales import MAX_ERROR_TO_ROWS, MAX_LOSS, MIN_TOKENS
from biogpt_onnx.quantize.packing.rows import Rows
from biogpt_onnx.quantize.packing.static_scale import static_scale
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import Manifest, read_manifest
from makers.outliers import read_tensors, with_massive_token, write_altered_checkpoint

Array = npt.NDArray[np.float32]

INT8 = RECIPES["int8"]
LIMITS = [1.0, 2.0, 4.0, 8.0]
MASSIVE_PRODUCT = "layers.1.feed_forward.fc2"
IDS = np.array([[2, 500, 600, 700, 41, 42, 3000, 8, 150, 6, 77, 900]])


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def errors_of(x: Array, weight: Array, *, behind_gelu: bool = False) -> InputErrors:
    errors = InputErrors(weight, Rows(7), LIMITS, behind_gelu=behind_gelu)
    for part in np.array_split(x, 3):
        errors.add(part)
    return errors


def measured_error(
    x: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], rounded: npt.NDArray[np.floating]
) -> float:
    codes, scales = Rows(7).pack(weight)
    exact = x @ weight.T
    energies = np.square(exact).sum(axis=1)
    difference = np.square(rounded @ (codes * scales) - exact).sum(axis=1)
    return float((difference / np.maximum(energies, np.median(energies))).mean())


@pytest.mark.parametrize("behind_gelu", [False, True])
def test_the_estimated_error_is_near_that_of_the_product_itself(*, behind_gelu: bool) -> None:
    x, weight = random(300, 64), random(48, 64, seed=1)
    if behind_gelu:
        x = np.maximum(x, np.float32(-0.17))
    found = errors_of(x, weight, behind_gelu=behind_gelu).by_limit()
    largest = np.abs(x).max(axis=1, keepdims=True)
    rows = measured_error(x, weight, np.rint(x / largest * 127) / 127 * largest)
    for limit, error in zip(LIMITS, found.error_to_rows, strict=True):
        scale = static_scale(limit, behind_gelu=behind_gelu)
        codes = np.clip(np.rint(x / scale.scale) + scale.zero_point, 0, 255)
        expected = measured_error(x, weight, (codes - scale.zero_point) * scale.scale) / rows
        assert error == pytest.approx(expected, rel=0.1)


def test_what_a_limit_clips_is_counted() -> None:
    x = np.full((10, 4), 0.5, dtype=np.float32)
    x[3, 1], x[6] = 3, 5
    found = errors_of(x, np.ones((2, 4), dtype=np.float32)).by_limit()
    np.testing.assert_allclose(found.clipped_values, [5 / 40, 5 / 40, 4 / 40, 0])
    np.testing.assert_allclose(found.clipped_tokens, [0.2, 0.2, 0.1, 0])
    # Of a token of four fives, all beyond 4 is lost: a twenty-fifth of its energy.
    np.testing.assert_allclose(found.largest_loss[2:], [1 / 25, 0])


@pytest.fixture(scope="module")
def massive(mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint with a massive value at the first token of every text, as a float32 bundle."""
    folder = tmp_path_factory.mktemp("massive")
    tensors = with_massive_token(read_tensors(mini_checkpoint))
    checkpoint = write_altered_checkpoint(mini_checkpoint, folder / "checkpoint", tensors)
    export_bundle(open_checkpoint(str(checkpoint)), folder / "bundle")
    return folder / "bundle"


def first_logits(folder: Path) -> Array:
    session = DecoderSession(folder, read_manifest(folder))
    logits: Array = session.forward(IDS[:, :1], session.new_cache(1, 1))[0]
    return logits


def distance(found: Array, expected: Array) -> float:
    return float(np.sqrt(np.square(found - expected).mean()) / expected.std())


def products(manifest: Manifest) -> dict[str, dict[str, object]]:
    assert manifest.activations is not None
    found: dict[str, dict[str, object]] = manifest.activations["products"]
    return found


def test_a_product_with_a_massive_token_keeps_a_scale_for_each_row(massive: Path, tmp_path: Path) -> None:
    chosen = products(quantize_bundle(massive, tmp_path / "int8", INT8))
    assert chosen[MASSIVE_PRODUCT]["scale"] is None
    assert distance(first_logits(tmp_path / "int8"), first_logits(massive)) < 0.15


def test_with_one_scale_for_all_rows_the_massive_token_would_be_lost(
    massive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_scales, "MAX_LOSS", 1.0)
    monkeypatch.setattr(static_scales, "MAX_ERROR_TO_ROWS", np.inf)
    monkeypatch.setattr(static_scales, "_limits", lambda _largest: [8.0])
    chosen = products(quantize_bundle(massive, tmp_path / "int8", INT8))
    assert chosen[MASSIVE_PRODUCT]["scale"] is not None
    assert distance(first_logits(tmp_path / "int8"), first_logits(massive)) > 0.3


def test_most_products_have_one_scale_and_none_is_worse_than_the_rule_allows(mini_bundle: Path, tmp_path: Path) -> None:
    manifest = quantize_bundle(mini_bundle, tmp_path / "int8", INT8)
    static = {name: found for name, found in products(manifest).items() if found["scale"] is not None}
    behind_norms = [f"layers.{index}.{part}" for index in range(4) for part in ("attention.qkv", "feed_forward.fc1")]
    assert set(behind_norms) <= set(static)
    for found in static.values():
        assert float(str(found["error_to_rows"])) <= MAX_ERROR_TO_ROWS
        assert float(str(found["largest_loss"])) <= MAX_LOSS
    assert read_manifest(tmp_path / "int8").activations == manifest.activations


def test_a_short_text_is_not_trusted_alone(mini_bundle: Path, tmp_path: Path) -> None:
    manifest = quantize_bundle(mini_bundle, tmp_path / "int8", INT8, texts=["Insulin"])
    assert manifest.activations is not None
    assert manifest.activations["tokens"] > MIN_TOKENS


def test_recipes_that_quantize_in_blocks_record_no_scales(mini_by: Callable[[str], Path]) -> None:
    assert read_manifest(mini_by("int4")).activations is None


def test_info_says_how_many_products_have_one_scale_and_what_is_clipped(
    mini_by: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(mini_by("int8"))]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("scales:"))
    assert "of 16 products" in line
    assert "clip" in line
