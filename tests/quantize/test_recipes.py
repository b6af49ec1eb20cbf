import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import biogpt_onnx
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.opened_graph import runs_on_cpu
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MODEL_FILE, check_files, read_manifest
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.system.processor import describe_processor
from makers.checkpoints import random_tensors, tiny_architecture, write_huggingface

IDS = np.array([[2, 500, 600, 700, 41, 42, 3000, 8, 150, 6, 77, 900]])
NEIGHBOURS = [[2, 900, 12], [2], [2, 30, 31, 32, 33, 34, 35], [2, 77]]
# What logits may differ by in the mean square, of their standard deviation: about twice what they do.
TOLERANCE = {"int8": 0.1, "int8-weights": 0.045, "int4": 0.32, "int8-int4": 0.1, "int8-dynamic": 0.1, "fp16": 0.002}
# Random weights, far larger than a trained model's.
TINY_TOLERANCE = {"int8": 0.1, "int8-weights": 0.08, "int4": 0.5, "int8-int4": 0.1, "int8-dynamic": 0.15, "fp16": 0.01}
# The others have no kernels here.
ON_CPU = [name for name, recipe in RECIPES.items() if runs_on_cpu(recipe.precision)]
PACKED = [name for name, recipe in RECIPES.items() if recipe.body is not None]
HAS_AVX512 = "avx512f" in str(describe_processor()["instruction_sets"])


@pytest.fixture(scope="module", params=ON_CPU)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def quantized(name: str, mini_by: Callable[[str], Path]) -> Path:
    return mini_by(name)


@pytest.fixture(scope="module")
def session(quantized: Path) -> DecoderSession:
    return open_session(quantized)


def open_session(folder: Path) -> DecoderSession:
    return DecoderSession(folder, read_manifest(folder))


def every_logit(session: DecoderSession, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return session.forward(ids, session.new_cache(1, ids.shape[1]), logits_indices=np.arange(ids.shape[1]))


def distance(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(found - expected).mean()) / expected.std())


def logits_of_first(session: DecoderSession, prompts: list[list[int]], steps: int) -> npt.NDArray[np.float32]:
    """The first row's logits of each step, all rows going on with the same tokens."""
    cache = session.new_cache(len(prompts), 16)
    for row, prompt in enumerate(prompts):
        session.forward(np.array([prompt]), cache.row(row))
    return np.stack([session.forward(np.full((len(prompts), 1), 50 + step), cache)[0] for step in range(steps)])


def test_a_quantized_bundle_is_loaded_and_generates_like_any_other(quantized: Path, name: str) -> None:
    model = biogpt_onnx.load(quantized)
    assert len(model.generate("Aspirin inhibits", max_new_tokens=5).token_ids) == 5
    beams = model.generate("Aspirin inhibits", max_new_tokens=5, num_beams=3)
    assert len(beams.text) > 0
    assert read_manifest(quantized).recipe == name


def test_its_files_are_whole_and_pass_the_onnx_checker(quantized: Path) -> None:
    check_files(quantized, read_manifest(quantized), contents=True)
    onnx.checker.check_model(quantized / MODEL_FILE)


def test_its_manifest_says_what_it_is_and_keeps_the_graphs_contract(
    quantized: Path, mini_bundle: Path, name: str
) -> None:
    made, original = read_manifest(quantized), read_manifest(mini_bundle)
    assert made.precision == RECIPES[name].precision
    assert (made.architecture, made.source) == (original.architecture, original.source)
    for ours, theirs in ((made.inputs, original.inputs), (made.outputs, original.outputs)):
        assert [(spec.name, spec.shape) for spec in ours] == [(spec.name, spec.shape) for spec in theirs]
        types = {(spec.dtype, other.dtype) for spec, other in zip(ours, theirs, strict=True)}
        half = {(RECIPES[name].dtype.numpy().name, "float32")}
        assert all(spec == other or (spec, other) in half for spec, other in types)


def test_it_is_smaller(quantized: Path, mini_bundle: Path, name: str) -> None:
    # The vocabulary and the positions, which stay as they are, are large beside so small a model.
    most = 0.51 if RECIPES[name].precision == "fp16" else 0.4
    assert read_manifest(quantized).num_bytes < most * read_manifest(mini_bundle).num_bytes


def test_its_logits_are_near_those_of_float32(session: DecoderSession, mini_bundle: Path, name: str) -> None:
    expected = every_logit(open_session(mini_bundle), IDS)
    assert distance(every_logit(session, IDS), expected) < TOLERANCE[name]


def test_a_prompt_read_in_parts_has_nearly_the_logits_of_the_whole(session: DecoderSession, name: str) -> None:
    whole = every_logit(session, IDS)[-1]
    cache = session.new_cache(1, 16)
    session.forward(IDS[:, :5], cache)
    for index in range(5, IDS.shape[1]):
        stepwise = session.forward(IDS[:, index : index + 1], cache)[0]
    # Not to the last bit: what rounds to another code moves a logit by far more than float32's rounding does.
    assert distance(stepwise, whole) < TOLERANCE[name]


@pytest.mark.parametrize("others", range(1, len(NEIGHBOURS) + 1))
def test_a_rows_logits_do_not_depend_on_its_neighbours_to_the_last_bit_unless_the_recipe_says_so(
    session: DecoderSession, name: str, others: int
) -> None:
    prompt = [2, 500, 600, 700]
    alone = logits_of_first(session, [prompt], steps=3)
    together = logits_of_first(session, [prompt, *NEIGHBOURS[:others]], steps=3)
    recipe = RECIPES[name]
    if recipe.batch_invariant and HAS_AVX512 and not recipe.batch_invariant_with_avx512:
        # An activation whose 8 bits are rounded the other way, by a last bit, moves logits by a step of its scale.
        assert np.allclose(together, alone, rtol=0, atol=0.3)
    else:
        assert np.array_equal(together, alone) == recipe.batch_invariant


@pytest.mark.parametrize("rows", range(1, 6))
def test_nor_does_any_row_on_its_place_in_the_batch(session: DecoderSession, name: str, rows: int) -> None:
    recipe = RECIPES[name]
    if not recipe.batch_invariant or (HAS_AVX512 and not recipe.batch_invariant_with_avx512):
        pytest.skip("this recipe does not promise it here")
    ids = IDS.reshape(-1, 1)
    all_rows = session.forward(ids, session.new_cache(len(ids), 4))
    assert np.array_equal(session.forward(ids[:rows], session.new_cache(rows, 4)), all_rows[:rows])


def test_a_recipe_is_known_by_its_name() -> None:
    assert all(recipe.name == name for name, recipe in RECIPES.items())


@pytest.mark.parametrize("name", PACKED)
def test_embedding_and_tied_head_are_one_table(name: str, mini_by: Callable[[str], Path]) -> None:
    graph = onnx.load(mini_by(name) / MODEL_FILE, load_external_data=False).graph
    users = {node.op_type for node in graph.node if "embed_tokens.weight.codes" in node.input}
    assert users in ({"GatherBlockQuantized", "MatMulNBits"}, {"Gather", "MatMulIntegerToFloat"})


@pytest.mark.parametrize("name", ON_CPU)
@pytest.mark.parametrize("changes", [{}, {"tied_head": False}, {"soft_prompt_size": 9}, {"scale_embedding": False}])
def test_every_kind_of_model_and_sizes_that_fill_no_block_keep_their_logits(
    name: str, changes: dict[str, int], tmp_path: Path
) -> None:
    architecture = tiny_architecture(**changes)
    checkpoint = write_huggingface(tmp_path / "checkpoint", architecture, random_tensors(architecture))
    export_bundle(open_checkpoint(checkpoint), tmp_path / "fp32")
    quantize_bundle(tmp_path / "fp32", tmp_path / "quantized", RECIPES[name])
    # The last ids are a soft prompt's, where there is one.
    ids = np.array([[310, 309, 2, 30, 40, 50, 60, 301]])
    expected = every_logit(open_session(tmp_path / "fp32"), ids)
    found = every_logit(open_session(tmp_path / "quantized"), ids)
    assert distance(found, expected) < TINY_TOLERANCE[name]


def test_recipes_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["int8"].precision = "fp32"  # type: ignore[misc]


def test_quantized_weights_are_rearranged_whatever_is_said(name: str, quantized: Path, session: DecoderSession) -> None:
    unpacked = DecoderSession(quantized, read_manifest(quantized), LoadOptions(prepack=False))
    np.testing.assert_array_equal(every_logit(unpacked, IDS), every_logit(session, IDS), err_msg=name)


@pytest.mark.parametrize(("as_stored", "entry"), [(False, None), (True, "1")])
def test_weights_are_left_as_they_are_stored_only_where_that_is_asked_for(
    quantized: Path, *, as_stored: bool, entry: str | None
) -> None:
    session = DecoderSession(quantized, read_manifest(quantized), as_stored=as_stored)
    options: Any = session._graph.session
    try:
        found = options.get_session_options().get_session_config_entry("session.disable_prepacking")
    except RuntimeError:  # it has not been set
        found = None
    assert found == entry
    assert np.isfinite(every_logit(session, IDS)).all()
