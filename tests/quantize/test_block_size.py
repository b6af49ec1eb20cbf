"""Bundles whose 4-bit weights share a scale in smaller blocks: larger, nearer to float32, their rows independent."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx import ConfigError, quantize
from biogpt_onnx.cli import main
from biogpt_onnx.quantize import Evaluation
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MODEL_FILE, STEPS_MODEL_FILE, read_manifest

SMALLER = (64, 32)


@pytest.fixture(scope="module")
def blocks(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    parent = tmp_path_factory.mktemp("blocks")
    for size in SMALLER:
        quantize.quantize_bundle(mini_bundle, parent / str(size), "int4", block_size=size, evaluation=False)
    return {size: parent / str(size) for size in SMALLER}


def block_sizes(graph: Path) -> set[int]:
    """The block sizes of a graph's products of 4-bit weights."""
    nodes = onnx.load(graph, load_external_data=False).graph.node
    attributes = [{each.name: each.i for each in node.attribute} for node in nodes if node.op_type == "MatMulNBits"]
    return {each["block_size"] for each in attributes if each["bits"] == 4}


def test_smaller_blocks_take_more_room_and_answer_nearer_to_float32(
    blocks: dict[int, Path], mini_by: Callable[[str], Path], mini_bundle: Path
) -> None:
    texts, divergences, sizes = evaluation_texts()[:4], [], []
    for bundle in (mini_by("int4"), *(blocks[size] for size in SMALLER)):
        found = quantize.evaluate_bundle(bundle, mini_bundle, texts=texts)
        assert isinstance(found, Evaluation)
        divergences.append(found.kl_divergence.value)
        sizes.append(read_manifest(bundle).num_bytes)
    assert divergences[0] > divergences[1] > divergences[2]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("size", SMALLER)
@pytest.mark.parametrize("rows", range(1, 10))
def test_a_rows_logits_do_not_depend_on_its_neighbours(blocks: dict[int, Path], size: int, rows: int) -> None:
    session = DecoderSession(blocks[size], read_manifest(blocks[size]))
    ids = np.array([[2, 500, 600, 700, 41, 42, 3000, 8, 150]])[:, :rows].T
    together = session.forward(ids, session.new_cache(rows, 4))
    for row in range(rows):
        alone = session.forward(ids[row : row + 1], session.new_cache(1, 4))
        np.testing.assert_array_equal(together[row], alone[0])


def test_steps_of_a_bundle_with_two_graphs_have_these_blocks_too(mini_bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "both"
    quantize.quantize_bundle(mini_bundle, target, "int8-int4", block_size=32, evaluation=False)
    assert block_sizes(target / STEPS_MODEL_FILE) == {32}
    with biogpt_onnx.load(target, device="cpu") as model:
        assert len(model.generate("Aspirin inhibits", max_new_tokens=5).token_ids) == 5


def test_gptq_rounds_in_these_blocks_too(mini_bundle: Path, blocks: dict[int, Path], tmp_path: Path) -> None:
    target, texts = tmp_path / "both", evaluation_texts()[:4]
    quantize.quantize_bundle(mini_bundle, target, "int4", block_size=64, rounding="gptq", evaluation=False)
    assert block_sizes(target / MODEL_FILE) == {64}
    gptq, nearest = (quantize.evaluate_bundle(each, mini_bundle, texts=texts) for each in (target, blocks[64]))
    assert isinstance(gptq, Evaluation)
    assert isinstance(nearest, Evaluation)
    assert gptq.kl_divergence.value < 0.8 * nearest.kl_divergence.value


def test_the_recipes_own_size_is_the_same_bundle_as_none(
    mini_bundle: Path, mini_by: Callable[[str], Path], tmp_path: Path
) -> None:
    quantize.quantize_bundle(mini_bundle, tmp_path / "own", "int4", block_size=128, evaluation=False)
    assert read_manifest(tmp_path / "own").files == read_manifest(mini_by("int4")).files


def test_info_says_how_many_weights_share_a_scale(blocks: dict[int, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(blocks[64]), "--lineage"]) == 0
    assert "block size:   64" in capsys.readouterr().out


REFUSED = {
    ("int4", "48"): "block_size is 48: choose one of 32, 64, 128",
    ("int4", "0"): "block_size is 0: choose one of 32, 64, 128",
    ("int8", "64"): "recipe int8 has none: choose recipe int4",
    ("int8-weights", "64"): "recipe int8-weights has none",
    ("fp16", "64"): "recipe fp16 has none",
    ("auto", "64"): "recipe auto has blocks of 128 only",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_blocks_that_a_recipe_cannot_have_are_refused_before_anything_is_written(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, str]
) -> None:
    (recipe, size), said, target = asked, REFUSED[asked], tmp_path / "made"
    with pytest.raises(ConfigError, match=said):
        quantize.quantize_bundle(mini_bundle, target, recipe, block_size=int(size))
    words = ["quantize", str(mini_bundle), "-o", str(target), "--recipe", recipe, "--block-size", size]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not target.exists()


@pytest.mark.parametrize("size", [64.0, "64", True])
def test_a_size_that_is_no_whole_number_is_refused(mini_bundle: Path, tmp_path: Path, size: object) -> None:
    with pytest.raises(ConfigError, match="choose one of 32, 64, 128"):
        quantize.quantize_bundle(mini_bundle, tmp_path / "made", "int4", block_size=size)  # type: ignore[arg-type]
