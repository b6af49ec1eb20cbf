import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.auto.automatic import check_apart, quantize_automatically
from biogpt_onnx.quantize.auto.mixed_precision import bytes_a_step, overall_precision
from biogpt_onnx.quantize.auto.passages import perplexity_increase, select_passages
from biogpt_onnx.quantize.auto.search import largest_within
from biogpt_onnx.quantize.auto.sensitivity import least_sensitive_first, sensitivities
from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration.calibrate import Calibration, calibrate
from biogpt_onnx.quantize.data.texts import calibration_texts, evaluation_texts, search_texts
from biogpt_onnx.quantize.evaluate.divergence import divergence
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.packing.layer_packing import LayerPacking, packed_bytes
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES, Recipe, layer_precisions
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.bundle.linear_layers import linear_shapes
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface
from makers.outliers import write_outlier_checkpoint

FOUR, EIGHT, TABLE = RECIPES["int4"].body, RECIPES["int8"].body, RECIPES["int8"].table
TEXTS = [*calibration_texts()[:4], "Insulin lowers glucose.", "Aspirin inhibits platelets."]
ALL_MAY_GO = 1e9
LAYERS = list(linear_shapes(tiny_architecture()))


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests must not change it."""
    return exported(tmp_path_factory.mktemp("automatic"))


def exported(folder: Path, **changes: int) -> Path:
    architecture = tiny_architecture(**changes)
    checkpoint = write_huggingface(folder / "checkpoint", architecture, lively_tensors(architecture))
    export_bundle(open_checkpoint(checkpoint), folder / "bundle")
    return folder / "bundle"


def mixture(layers: Mapping[str, LayerPacking], table: LayerPacking = None) -> Recipe:
    overrides = {name: layers.get(name) for name in LAYERS}
    return Recipe("auto", "", overall_precision(overrides.values(), table), EIGHT, table, overrides=overrides)


def every_logit(folder: Path, ids: list[int]) -> np.ndarray:
    session = DecoderSession(folder, read_manifest(folder))
    return session.forward(np.array([ids]), session.new_cache(1, len(ids)), logits_indices=np.arange(len(ids)))


def test_when_everything_may_be_small_everything_is(tiny_bundle: Path, tmp_path: Path) -> None:
    manifest, choice = quantize_automatically(tiny_bundle, tmp_path / "auto", ALL_MAY_GO, texts=TEXTS)
    assert (manifest.recipe, manifest.precision) == ("auto", "int4")
    assert manifest.layer_precisions == {"embed_tokens": "int8"} | dict.fromkeys(LAYERS, "int4")
    assert choice.num_measured == 1


def test_without_any_room_nothing_is_quantized_and_no_logit_changes(tiny_bundle: Path, tmp_path: Path) -> None:
    manifest, choice = quantize_automatically(tiny_bundle, tmp_path / "auto", 0, texts=TEXTS)
    assert manifest.precision == "fp32"
    assert set((manifest.layer_precisions or {}).values()) == {"fp32"}
    assert (choice.perplexity_increase, choice.bytes_a_step) == (None, choice.float32_bytes_a_step)
    ids = [2, 30, 40, 50, 60]
    np.testing.assert_array_equal(every_logit(tmp_path / "auto", ids), every_logit(tiny_bundle, ids))


def test_the_less_may_be_lost_the_more_a_step_reads_and_the_bound_is_kept(tiny_bundle: Path, tmp_path: Path) -> None:
    _, everything = quantize_automatically(tiny_bundle, tmp_path / "everything", ALL_MAY_GO, texts=TEXTS)
    assert everything.perplexity_increase is not None
    sizes = [everything.bytes_a_step]
    precisions = set()
    for share in (0.9, 0.3, 0.05, 0.005):
        most = share * everything.perplexity_increase.upper_bound
        manifest, choice = quantize_automatically(tiny_bundle, tmp_path / str(share), most, texts=TEXTS)
        assert choice.perplexity_increase is None or choice.perplexity_increase.upper_bound <= most
        assert choice.num_measured <= 2 + 4
        sizes.append(choice.bytes_a_step)
        precisions |= set((manifest.layer_precisions or {}).values())
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 2
    assert precisions == {"fp32", "int8", "int4"}


def test_equal_calls_make_equal_bundles(tiny_bundle: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        quantize_automatically(tiny_bundle, tmp_path / name, 0.02, texts=TEXTS)
    assert (tmp_path / "one" / MANIFEST_FILE).read_bytes() == (tmp_path / "two" / MANIFEST_FILE).read_bytes()


def test_what_the_search_writes_is_what_the_chosen_recipe_makes(tiny_bundle: Path, tmp_path: Path) -> None:
    made, choice = quantize_automatically(tiny_bundle, tmp_path / "auto", 0.02, texts=TEXTS)
    again = quantize_bundle(tiny_bundle, tmp_path / "again", choice.recipe, texts=TEXTS)
    assert again.files == made.files
    assert again.layer_precisions == made.layer_precisions


def test_the_manifest_says_of_each_layer_what_its_node_computes(tiny_bundle: Path, tmp_path: Path) -> None:
    recipe = mixture({LAYERS[0]: FOUR, LAYERS[5]: EIGHT, LAYERS[6]: EIGHT}, TABLE)
    manifest = quantize_bundle(tiny_bundle, tmp_path / "mixed", recipe, texts=TEXTS)
    assert manifest.precision == "mixed"
    graph = onnx.load(tmp_path / "mixed" / MODEL_FILE, load_external_data=False).graph
    operators = {"MatMulNBits": "int4", "MatMulIntegerToFloat": "int8", "Gemm": "fp32"}
    found = {node.name.rpartition("/")[0]: operators[node.op_type] for node in graph.node if node.op_type in operators}
    assert found.pop("output_projection") == "int8"
    assert {"embed_tokens": "int8"} | found == manifest.layer_precisions


@pytest.mark.parametrize("changes", [{}, {"tied_head": False}, {"soft_prompt_size": 9}, {"scale_embedding": False}])
def test_every_kind_of_model_is_searched_and_stays_near_its_logits(changes: dict[str, int], tmp_path: Path) -> None:
    source = exported(tmp_path, **changes)
    manifest, choice = quantize_automatically(source, tmp_path / "auto", 0.02, texts=TEXTS)
    ids = [309, 2, 30, 40, 50, 60, 301]
    expected, found = every_logit(source, ids), every_logit(tmp_path / "auto", ids)
    assert np.sqrt(np.square(found - expected).mean()) < 0.5 * expected.std()
    assert manifest.layer_precisions == layer_precisions(manifest.architecture, choice.recipe)
    assert ("output_projection" in (manifest.layer_precisions or {})) == (changes.get("tied_head") is False)


def test_a_row_of_a_mixture_does_not_depend_on_its_neighbours_to_the_last_bit(
    mini_bundle: Path, tmp_path: Path
) -> None:
    layers = list(linear_shapes(read_manifest(mini_bundle).architecture))
    overrides = dict(zip(layers, [FOUR, EIGHT, None] * len(layers), strict=False))
    recipe = dataclasses.replace(RECIPES["int8"], name="auto", precision="mixed", overrides=overrides)
    quantize_bundle(mini_bundle, tmp_path / "mixed", recipe)
    session = DecoderSession(tmp_path / "mixed", read_manifest(tmp_path / "mixed"))
    alone, together = (last_step(session, prompts) for prompts in ([[2, 500]], [[2, 500], [2, 900, 12], [2]]))
    np.testing.assert_array_equal(alone, together)


def last_step(session: DecoderSession, prompts: list[list[int]]) -> np.ndarray:
    cache = session.new_cache(len(prompts), 8)
    for row, prompt in enumerate(prompts):
        session.forward(np.array([prompt]), cache.row(row))
    first: np.ndarray = session.forward(np.full((len(prompts), 1), 50), cache)[0]
    return first


def test_outliers_cost_what_is_chosen_nothing(mini_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = write_outlier_checkpoint(mini_checkpoint, tmp_path / "checkpoint", factor=100, channels=6)
    export_bundle(open_checkpoint(str(checkpoint)), tmp_path / "fp32")
    _, choice = quantize_automatically(tmp_path / "fp32", tmp_path / "auto", 0.005)
    evaluation = evaluate(tmp_path / "auto", tmp_path / "fp32", evaluation_texts(), prompts=0)
    assert evaluation.passed(0.005), evaluation.table()
    assert choice.bytes_a_step < 0.3 * choice.float32_bytes_a_step


# A session that opens at once leaves the activations of a product with 4-bit weights in float32.
@pytest.mark.parametrize(("packing", "tolerance"), [(EIGHT, 0.02), (FOUR, 0.1)])
def test_a_layers_sensitivity_is_what_a_bundle_shows_in_which_it_alone_is_packed(
    packing: LayerPacking, tolerance: float, tiny_bundle: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(tiny_bundle)
    passages = [(2, 30, 40, 50, 60, 70), (2, 35, 45), (2, 80, 90, 100, 110)]
    recipe = mixture({"layers.1.feed_forward.fc1": packing})
    quantize_bundle(tiny_bundle, tmp_path / "bundle", recipe, texts=TEXTS)
    quantize_bundle(tiny_bundle, tmp_path / "float32", mixture({}), texts=TEXTS)
    (tmp_path / "pool").mkdir()
    pool = WeightPool(tmp_path / "pool", manifest, calibrated(tiny_bundle))
    found = sensitivities(pool, passages, mixture({}), {"fc1": recipe}, lambda: None)
    expected = [
        divergence(
            every_logit(tmp_path / "float32", list(ids[:-1])),
            every_logit(tmp_path / "bundle", list(ids[:-1])),
            np.array(ids[1:]),
        ).kl_divergence
        for ids in passages
    ]
    assert found["fc1"] == pytest.approx(sum(expected) / sum(len(ids) - 1 for ids in passages), rel=tolerance)
    assert found["fc1"] > 0


def calibrated(folder: Path) -> Calibration:
    return calibrate(folder, read_manifest(folder), BundleWeights(folder), TEXTS)


def test_four_bits_change_the_answers_more_than_eight(tiny_bundle: Path, tmp_path: Path) -> None:
    pool = WeightPool(tmp_path, read_manifest(tiny_bundle), calibrated(tiny_bundle))
    recipes = {f"{name} {bits}": mixture({name: body}) for name in LAYERS for bits, body in ((4, FOUR), (8, EIGHT))}
    found = sensitivities(pool, [(2, 30, 40, 50, 60, 70), (2, 80, 90, 100)], mixture({}), recipes, lambda: None)
    assert all(found[f"{name} 4"] > 3 * found[f"{name} 8"] > 0 for name in LAYERS)


def test_layers_come_in_the_order_of_what_they_cost_for_a_byte_and_only_if_they_save_any() -> None:
    costs = {"a": 1.0, "b": 1.0, "c": 3.0, "d": 0.0, "e": 1.0}
    assert least_sensitive_first(costs, {"a": 1, "b": 2, "c": 2, "d": 0, "e": 1}) == ["b", "a", "e", "c"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 96])
def test_the_bisection_finds_the_largest_that_passes_in_a_handful_of_steps(count: int) -> None:
    for largest in range(count + 1):
        asked: list[int] = []

        def passes(number: int, largest: int = largest, asked: list[int] = asked) -> bool:
            asked.append(number)
            return number <= largest

        assert largest_within(count, passes) == largest
        assert len(asked) <= (count + 1).bit_length()


def test_a_gain_on_the_search_text_is_taken_for_luck() -> None:
    worse = perplexity_increase([0.3, 0.5, 0.1, 0.3], [10, 10, 10, 10])
    better = perplexity_increase([-0.3, -0.5, -0.1, -0.3], [10, 10, 10, 10])
    assert 0.02 < worse.value < 0.04 < worse.upper_bound
    assert better.value < 0 < better.upper_bound
    assert perplexity_increase([0.1, np.nan], [5, 5]).upper_bound == np.inf


def test_of_a_single_passage_nothing_is_known() -> None:
    with pytest.raises(ValueError, match="a single passage has no interval"):
        perplexity_increase([0.1], [10])


def test_a_float32_bundle_whose_logits_are_no_numbers_is_not_searched(tmp_path: Path) -> None:
    architecture = tiny_architecture()
    tensors = lively_tensors(architecture)
    tensors["layers.0.fc2.weight"][...] = 3e38
    checkpoint = write_huggingface(tmp_path / "checkpoint", architecture, tensors)
    export_bundle(open_checkpoint(checkpoint), tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"logits that are NaN or infinite.*export a sound checkpoint"):
        quantize_automatically(tmp_path / "bundle", tmp_path / "auto", 0.02, texts=TEXTS)
    assert not (tmp_path / "auto").exists()


def test_more_text_leaves_less_to_chance() -> None:
    few, many = [0.3, -0.2, 0.1, 0.0], [0.3, -0.2, 0.1, 0.0] * 9
    assert perplexity_increase(many, [10] * 36).upper_bound < 0.5 * perplexity_increase(few, [10] * 4).upper_bound


def test_the_bytes_of_a_step_are_those_of_the_matrices_it_reads(tiny_bundle: Path, tmp_path: Path) -> None:
    architecture = tiny_architecture()
    assert bytes_a_step(architecture, mixture({})) == 4 * (3 * (4 * 72 * 72 + 2 * 72 * 97) + 311 * 72)
    quantize_bundle(tiny_bundle, tmp_path / "int8", RECIPES["int8"], texts=TEXTS)
    graph = onnx.load(tmp_path / "int8" / MODEL_FILE, load_external_data=False).graph
    stored = {tensor.name: np.prod(tensor.dims) for tensor in graph.initializer if tensor.name.endswith(".codes")}
    shape = linear_shapes(architecture)["layers.0.attention.qkv"]
    assert packed_bytes(EIGHT, shape) == stored["layers.0.attention.qkv.weight.codes"] + 4 * shape[0]


def test_nothing_that_is_evaluated_on_is_searched_with() -> None:
    check_apart(None, evaluation_texts())
    assert len(search_texts()) == len(set(search_texts())) > 20
    with pytest.raises(ConfigError, match="1 of 2 documents to evaluate with are searched with too"):
        check_apart(None, ["Insulin", search_texts()[3]])
    with pytest.raises(ConfigError, match="give --text, or --calibration, other text"):
        check_apart(["Aspirin \n"], ["Aspirin"])


def test_of_much_text_passages_are_read_that_lie_all_over_it(mini_bundle: Path) -> None:
    tokenizer = BioGptTokenizer.from_files(mini_bundle / "vocab.json", mini_bundle / "merges.txt", soft_prompt_size=9)
    texts = [f"Patient number {number} was treated. " * 60 for number in range(480)]
    passages = select_passages(tokenizer, texts, max_positions=1024)
    assert len(passages) == 48
    assert {len(ids) for ids in passages} == {128}
    assert passages[1][:6] == tuple(tokenizer.encode(texts[10])[:6])
    assert {len(ids) for ids in select_passages(tokenizer, texts, max_positions=20)} == {20}


@pytest.mark.parametrize("texts", [[], ["", "  "], ["Insulin lowers glucose."]])
def test_too_little_text_to_search_with_is_refused_and_nothing_is_left(
    texts: list[str], tiny_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="give at least 2"):
        quantize_automatically(tiny_bundle, tmp_path / "auto", texts=texts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("most", [-0.01, float("nan")])
def test_a_bad_bound_is_refused(most: float, tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_perplexity_increase is"):
        quantize_automatically(tiny_bundle, tmp_path / "auto", most)


def test_an_interrupted_search_leaves_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    def interrupt(what: str, _done: int, _total: int) -> None:
        if what == "comparing layers":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_automatically(tiny_bundle, tmp_path / "auto", 1e-4, texts=TEXTS, report=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_occupied_folder_is_refused_before_the_search(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "auto").mkdir()
    (tmp_path / "auto" / "notes.txt").write_text("mine")
    steps: list[str] = []
    with pytest.raises(BundleError, match="--overwrite"):
        quantize_automatically(
            tiny_bundle, tmp_path / "auto", texts=TEXTS, report=lambda what, *_step: steps.append(what)
        )
    assert steps == []


def test_progress_is_reported_stage_by_stage_up_to_the_end(tiny_bundle: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    quantize_automatically(tiny_bundle, tmp_path / "auto", 0.02, texts=TEXTS, report=lambda *step: steps.append(step))
    assert list(dict.fromkeys(what for what, _, _ in steps)) == [
        "measuring mixtures",
        "comparing layers",
        "writing weights",
    ]
    assert all(1 <= done <= total for _, done, total in steps)
    assert steps[-1][1] == steps[-1][2]


def test_only_the_bundle_is_left_of_a_search(tiny_bundle: Path, tmp_path: Path) -> None:
    manifest, _ = quantize_automatically(tiny_bundle, tmp_path / "auto", 0.02, texts=TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["auto"]
    assert {path.name for path in (tmp_path / "auto").iterdir()} == {*manifest.files, MANIFEST_FILE}
    assert WEIGHTS_FILE in manifest.files


def altered(bundle: Path, folder: Path, precisions: object) -> Path:
    """Writes a bundle's manifest with other precisions of layers, and returns the folder."""
    fields = json.loads((bundle / MANIFEST_FILE).read_text())
    if precisions is None:
        del fields["layer_precisions"]
    else:
        fields["layer_precisions"] = precisions
    (folder / MANIFEST_FILE).write_text(json.dumps(fields))
    return folder


def test_a_bundle_that_says_nothing_of_its_layers_is_read(mini_by: Callable[[str], Path], tmp_path: Path) -> None:
    assert read_manifest(altered(mini_by("int8"), tmp_path, None)).layer_precisions is None


@pytest.mark.parametrize(
    ("precisions", "named"),
    [
        (
            {"layers.0.attention.qkv": "int3"},
            "layers.0.attention.qkv is 'int3', this biogpt-onnx knows fp32, int8, int4",
        ),
        ({"layers.0.attention.qkv": ["int8"]}, "layers.0.attention.qkv"),
        (["int8"], "layer_precisions is not an object"),
        ("int8", "layer_precisions is not an object"),
    ],
)
def test_precisions_that_nobody_knows_are_refused_by_name(
    precisions: object, named: str, mini_by: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=named):
        read_manifest(altered(mini_by("int8"), tmp_path, precisions))
