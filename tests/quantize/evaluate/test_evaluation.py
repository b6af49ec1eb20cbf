import importlib.util
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.evaluate import document_passes, model_pair
from biogpt_onnx.quantize.evaluate.continuations import equal_tokens
from biogpt_onnx.quantize.evaluate.divergence import Divergence, divergence, kl_divergence, log_softmax, top_k_overlap
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.evaluate.layer_errors import CacheComparison
from biogpt_onnx.quantize.evaluate.plot import check_plot, plot_layer_errors
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.reporting.estimates import Estimate
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import MODEL_FILE, WEIGHTS_FILE, Manifest
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError, ConfigError, PromptError
from biogpt_onnx.runtime.options import LoadOptions
from makers.checkpoints import tiny_architecture, write_huggingface
from makers.outliers import read_tensors, write_altered_checkpoint, write_outlier_checkpoint

TEXTS = [
    "The patient was treated with cisplatin and developed acute renal failure after two cycles.",
    "Long-term use of corticosteroids is associated with osteoporosis and an increased risk of fracture.",
    "We report a case of seizures induced by high doses of an antibiotic in a woman with renal insufficiency.",
    "Blood pressure fell by 20 mmHg within one hour, and the heart rate did not change.",
    "Rats that received the drug showed less memory impairment than controls.",
    "Hepatotoxicity was seen in three of forty patients; all recovered when treatment was stopped.",
]


def exported(checkpoint: Path, target: Path) -> Path:
    export_bundle(open_checkpoint(checkpoint), target)
    return target


def with_noise(source: Path, target: Path, noise: float, only: str = "") -> Path:
    """A bundle of a checkpoint whose matrices of such names are off by so much, relative to each one's own spread."""
    generator = np.random.default_rng(0)
    tensors = read_tensors(source)
    for name, values in tensors.items():
        if values.ndim == 2 and name.startswith(only):
            tensors[name] = values + generator.standard_normal(values.shape, np.float32) * noise * values.std()
    return exported(write_altered_checkpoint(source, target / "checkpoint", tensors), target / "bundle")


@pytest.fixture(scope="module")
def same(mini_bundle: Path) -> Evaluation:
    return evaluate(mini_bundle, mini_bundle, TEXTS, threads=1, prompts=3, continuation_tokens=8)


@pytest.fixture(scope="module")
def worse(mini_bundle: Path, mini_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    damaged = with_noise(mini_checkpoint, tmp_path_factory.mktemp("damaged"), 0.3)
    return evaluate(damaged, mini_bundle, TEXTS, threads=1, prompts=3, continuation_tokens=8)


# --- the whole


def test_a_bundle_is_as_good_as_itself(same: Evaluation) -> None:
    assert same.perplexity == same.baseline_perplexity
    assert same.perplexity_increase == Estimate(0, (0, 0))
    assert same.kl_divergence == Estimate(0, (0, 0))
    assert same.top_1_agreement == same.top_5_overlap == Estimate(1, (1, 1))
    assert [(error.keys, error.values) for error in same.layer_errors] == [(0, 0)] * 4
    assert same.continuations is not None
    assert same.continuations.greedy_equal.value == same.continuations.beams_equal.value == 1
    assert same.continuations.greedy_equal_tokens.value == same.continuations.baseline_tokens
    assert same.passed(0)


def test_perplexity_is_that_of_the_engine(same: Evaluation, mini: BioGPT) -> None:
    scores = [mini.score(text) for text in TEXTS]
    tokens = sum(len(score.token_ids) for score in scores)
    assert same.num_tokens == tokens
    assert same.perplexity == pytest.approx(math.exp(-sum(score.total for score in scores) / tokens), rel=1e-5)


def test_a_damaged_bundle_is_seen_as_worse_everywhere(worse: Evaluation) -> None:
    increase = worse.perplexity_increase
    assert increase.value == pytest.approx(worse.perplexity / worse.baseline_perplexity - 1)
    assert increase.interval is not None
    assert 0 < increase.interval[0] < increase.value < increase.interval[1]
    assert worse.kl_divergence.value > 0.01
    assert worse.top_1_agreement.value < 1
    assert worse.top_5_overlap.value < 1
    assert all(0.1 < error.keys < 1 and 0.1 < error.values < 1 for error in worse.layer_errors)
    assert worse.continuations is not None
    assert worse.continuations.greedy_equal_tokens.value < worse.continuations.baseline_tokens
    assert not worse.passed(0.005)
    assert worse.passed(increase.value)


def test_the_layer_errors_say_where_an_error_begins(mini_bundle: Path, mini_checkpoint: Path, tmp_path: Path) -> None:
    damaged = with_noise(mini_checkpoint, tmp_path, 0.3, only="layers.2.")
    errors = evaluate(damaged, mini_bundle, TEXTS[:2], threads=1, prompts=0).layer_errors
    assert [(error.keys, error.values) for error in errors[:2]] == [(0, 0), (0, 0)]
    assert all(error.keys > 0.01 and error.values > 0.01 for error in errors[2:])


def test_equal_calls_have_equal_results(worse: Evaluation, mini_bundle: Path, same: Evaluation) -> None:
    again = evaluate(mini_bundle, mini_bundle, TEXTS, threads=1, prompts=3, continuation_tokens=8)
    assert again == same
    assert again != worse


def test_channels_that_a_recipe_scaled_and_compensated_are_no_error(
    mini_bundle: Path, mini_checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint = write_outlier_checkpoint(mini_checkpoint, tmp_path / "checkpoint", 64)
    found = evaluate(exported(checkpoint, tmp_path / "bundle"), mini_bundle, TEXTS[:2], threads=1, prompts=0)
    assert found.kl_divergence.value == 0
    assert all(error.keys < 1e-6 and error.values < 1e-6 for error in found.layer_errors)


def test_long_documents_are_cut_and_empty_ones_skipped(tmp_path: Path) -> None:
    tiny = exported(write_huggingface(tmp_path / "checkpoint", tiny_architecture()), tmp_path / "bundle")
    calls: list[tuple[int, int]] = []
    found = evaluate(
        tiny,
        tiny,
        ["aspirin " * 100, "", "a", "  \x00 "],
        threads=1,
        prompts=9,
        continuation_tokens=100,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (found.num_cut, found.num_skipped, len(found.documents)) == (1, 2, 2)
    assert found.documents[0].num_tokens == 75 - 1
    assert found.continuations is not None
    assert found.continuations.num_prompts == 2
    assert calls == [(done, 4) for done in range(1, 5)]


def test_a_document_longer_than_a_chunk_is_compared_whole(mini_bundle: Path, same: Evaluation) -> None:
    found = evaluate(mini_bundle, mini_bundle, [" ".join(TEXTS * 12)], threads=1, prompts=0)
    assert found.documents[0].num_tokens == 1023
    assert found.documents[0].kl_divergence == 0
    assert found.perplexity_increase == Estimate(0, None)
    assert found.continuations is None
    assert found.perplexity < same.perplexity  # what is repeated is easy to predict


@pytest.mark.parametrize(
    ("texts", "error", "said"),
    [
        ([], PromptError, "no text"),
        (["", " \n"], PromptError, "no text"),
        ([b"aspirin"], PromptError, "of type bytes"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(
    texts: list[str], error: type[Exception], said: str, mini_bundle: Path
) -> None:
    with pytest.raises(error, match=said):
        evaluate(mini_bundle, mini_bundle, texts, threads=1)


@pytest.mark.parametrize("settings", [{"prompts": -1}, {"continuation_tokens": 0}, {"threads": 0}])
def test_bad_settings_are_named(settings: dict[str, int], mini_bundle: Path) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        evaluate(mini_bundle, mini_bundle, TEXTS, **settings)  # type: ignore[arg-type]


def test_bundles_of_different_models_are_refused(mini_bundle: Path, tmp_path: Path) -> None:
    tiny = exported(write_huggingface(tmp_path / "checkpoint", tiny_architecture()), tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"num_layers 3 and 4.*another vocab\.json"):
        evaluate(tiny, mini_bundle, TEXTS)


def test_a_bundle_that_computes_no_numbers_is_refused(tmp_path: Path) -> None:
    source = write_huggingface(tmp_path / "plain", tiny_architecture())
    tensors = read_tensors(source)
    tensors["layers.1.fc1.bias"][:] = 3e38  # a number, whose products are none
    broken = exported(write_altered_checkpoint(source, tmp_path / "broken", tensors), tmp_path / "broken-bundle")
    with pytest.raises(BundleError, match="broken-bundle computes logits that are no numbers"):
        evaluate(broken, exported(source, tmp_path / "bundle"), TEXTS[:1], threads=1)


def test_a_baseline_that_is_worse_than_a_guess_passes_no_gate(
    mini_bundle: Path, mini_checkpoint: Path, tmp_path: Path
) -> None:
    tensors = {name: values * np.float32(1e6) for name, values in read_tensors(mini_checkpoint).items()}
    huge = exported(write_altered_checkpoint(mini_checkpoint, tmp_path / "huge", tensors), tmp_path / "huge-bundle")
    for bundle in (huge, mini_bundle):
        found = evaluate(bundle, huge, TEXTS[:2], threads=1, prompts=0)
        assert not found.passed(0.005)
        assert "a guess among all tokens needs 9.0" in found.table(0.005).splitlines()[-1]
        assert json.loads(found.to_json(0.005))["gate"]["passed"] is False
        assert "the baseline needs" in json.loads(found.to_json(0.005))["gate"]["doubt"]


def test_a_quantized_bundle_that_is_far_better_than_its_baseline_passes_no_gate(
    worse: Evaluation,
) -> None:
    found = replace(worse, perplexity_increase=Estimate(-0.06, (-0.07, -0.05)))
    assert not found.passed(0.005)
    assert "FAIL: perplexity increase -6.000%" in found.table(0.005)
    assert "the baseline is not sound" in found.table(0.005)
    assert found.passed(0.1)  # who allows more in one direction allows it in the other
    slightly = replace(worse, perplexity_increase=Estimate(-0.04, (-0.05, -0.03)))
    assert slightly.passed(0)


def test_a_damaged_file_is_refused_before_anything_runs(mini_bundle: Path, tmp_path: Path) -> None:
    for path in mini_bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes() if path.name != WEIGHTS_FILE else b"")
    assert (tmp_path / MODEL_FILE).is_file()
    with pytest.raises(BundleError, match="has 0 bytes"):
        evaluate(tmp_path, mini_bundle, TEXTS)


# --- models that are too large to be open together


@pytest.fixture(scope="module")
def int8_bundle(mini_by: Callable[[str], Path]) -> Path:
    return mini_by("int8")


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Has every pair count as too large; the list gets the bundles as they are opened and closed."""
    seen: list[tuple[str, str]] = []

    def opened(folder: Path, manifest: Manifest, options: LoadOptions) -> CpuBackend[KeyValueCache]:
        session = DecoderSession(folder, manifest, options)
        close = session.close

        def closed() -> None:
            seen.append(("closes", folder.name))
            close()

        seen.append(("opens", folder.name))
        monkeypatch.setattr(session, "close", closed)
        return CpuBackend(session)

    monkeypatch.setattr(model_pair, "BOTH_OPEN_BYTES", 0)
    monkeypatch.setattr(model_pair, "open_backend", opened)
    return seen


def test_of_large_models_one_is_closed_before_the_other_opens(
    one_at_a_time: list[tuple[str, str]], int8_bundle: Path, mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Room for two of the documents at a time.
    monkeypatch.setattr(document_passes, "_MOST_RECORDED_BYTES", 2_000_000)
    evaluate(int8_bundle, mini_bundle, TEXTS, threads=1, prompts=2, continuation_tokens=2)
    bundles = [name for event, name in one_at_a_time if event == "opens"]
    assert len(bundles) > 4
    assert bundles == [mini_bundle.name, int8_bundle.name] * (len(bundles) // 2)
    assert one_at_a_time == [(event, name) for name in bundles for event in ("opens", "closes")]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads the mappings of a process on Linux")
def test_the_weights_of_a_closed_model_take_no_memory(
    int8_bundle: Path,
    mini_bundle: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A copy: other tests' models of the same process have the original open.
    baseline = Path(shutil.copytree(mini_bundle, tmp_path / "float32"))
    weights = str((baseline / WEIGHTS_FILE).resolve())
    mapped: list[tuple[str, bool]] = []

    def opened(folder: Path, manifest: Manifest, options: LoadOptions) -> CpuBackend[KeyValueCache]:
        session = DecoderSession(folder, manifest, options)
        mapped.append((folder.name, weights in Path("/proc/self/maps").read_text(encoding="utf-8")))
        return CpuBackend(session)

    request.getfixturevalue("one_at_a_time")
    monkeypatch.setattr(model_pair, "open_backend", opened)
    evaluate(int8_bundle, baseline, TEXTS[:3], threads=1, prompts=1, continuation_tokens=2)
    assert mapped == [(baseline.name, True), (int8_bundle.name, False)] * 2


def test_large_models_are_compared_as_small_ones_are(
    int8_bundle: Path, mini_bundle: Path, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, Any] = {"threads": 1, "prompts": 3, "continuation_tokens": 8}
    together = json.loads(evaluate(int8_bundle, mini_bundle, TEXTS, **settings).to_json())
    request.getfixturevalue("one_at_a_time")
    apart = json.loads(evaluate(int8_bundle, mini_bundle, TEXTS, **settings).to_json())
    assert len(numbers(apart)) > 50
    assert numbers(apart) == pytest.approx(numbers(together), rel=1e-3, abs=1e-9)


def test_of_a_large_model_beside_itself_nothing_differs(
    one_at_a_time: list[tuple[str, str]], mini_bundle: Path
) -> None:
    found = evaluate(mini_bundle, mini_bundle, TEXTS, threads=1, prompts=1, continuation_tokens=4)
    assert found.kl_divergence == Estimate(0, (0, 0))
    assert [(error.keys, error.values) for error in found.layer_errors] == [(0, 0)] * 4
    assert one_at_a_time


@pytest.mark.usefixtures("one_at_a_time")
def test_a_full_temporary_disk_is_named(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs Linux's /dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(document_passes, "TemporaryFile", lambda: full)
        with pytest.raises(ConfigError, match=r"No space left on device.*TMPDIR"):
            evaluate(mini_bundle, mini_bundle, TEXTS[:1], threads=1, prompts=0)


def numbers(fields: Any) -> list[float]:
    """All numbers of a report, in its order."""
    if isinstance(fields, dict):
        fields = list(fields.values())
    if isinstance(fields, list):
        return [one for field in fields for one in numbers(field)]
    return [fields] if isinstance(fields, int | float) else []


# --- the report


def test_the_report_as_json_holds_every_document(worse: Evaluation) -> None:
    fields = json.loads(worse.to_json(0.005))
    assert fields["gate"] == {"max_perplexity_increase": 0.005, "passed": False}
    assert len(fields["documents"]) == len(TEXTS)
    assert fields["num_tokens"] == sum(document["num_tokens"] for document in fields["documents"])
    assert fields["perplexity_increase"]["interval"][0] < fields["perplexity_increase"]["value"]
    assert len(fields["layer_errors"]) == 4
    assert json.loads(worse.to_json())["gate"] is None


def test_the_table_says_what_was_measured_and_whether_it_is_enough(worse: Evaluation, same: Evaluation) -> None:
    table = worse.table(0.005)
    assert table.splitlines()[-1].startswith("FAIL: perplexity increase +")
    assert table.splitlines()[-1].endswith("allowed 0.500%")
    assert "6 documents" in table
    assert "5 beams, 3 answers, equal" in table
    assert same.table(0).splitlines()[-1] == "PASS: perplexity increase +0.000%, allowed 0.000%"
    assert "PASS" not in same.table()


def test_a_gate_inside_the_interval_is_called_uncertain(same: Evaluation) -> None:
    unsure = replace(same, perplexity_increase=Estimate(0.004, (0.001, 0.008)))
    assert unsure.passed(0.005)
    assert "more text would tell" in unsure.table(0.005)
    assert "more text would tell" not in unsure.table(0.01)


# --- known answers


def test_log_probabilities_of_large_logits_are_exact() -> None:
    logits = np.array([[1000, 1000 + math.log(3)], [-1000, -1000]], dtype=np.float32)
    assert np.exp(log_softmax(logits)) == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]), rel=1e-4)


def test_kl_divergence_is_that_of_the_definition() -> None:
    ours, baseline = np.log([[0.25, 0.75], [0.5, 0.5]]), np.log([[0.5, 0.5], [0.5, 0.5]])
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert kl_divergence(baseline, ours) == pytest.approx([expected, 0])
    # Not symmetric: it is the baseline's probabilities that count.
    assert kl_divergence(ours, baseline)[0] == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))


def test_overlap_is_the_share_of_the_baselines_likeliest() -> None:
    baseline = np.array([[5, 4, 3, 0, 0, 0], [5, 4, 3, 0, 0, 0]], dtype=np.float64)
    ours = np.array([[3, 4, 5, 0, 0, 0], [0, 4, 0, 5, 6, 0]], dtype=np.float64)
    assert top_k_overlap(baseline, ours, k=3) == pytest.approx([1, 1 / 3])
    assert top_k_overlap(baseline, ours, k=100) == pytest.approx([1, 1])


def test_a_text_is_measured_token_by_token() -> None:
    baseline = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]).astype(np.float32)
    ours = np.log([[0.25, 0.5, 0.25], [0.1, 0.8, 0.1]]).astype(np.float32)
    found = divergence(baseline + 7, ours - 7, np.array([0, 1]))
    assert found.num_tokens == 2
    assert found.baseline_nll == pytest.approx(-math.log(0.5 * 0.8), rel=1e-6)
    assert found.nll == pytest.approx(-math.log(0.25 * 0.8), rel=1e-6)
    assert found.kl_divergence == pytest.approx(0.25 * math.log(2), rel=1e-6)
    assert found.top_1_equal == 1
    assert found.top_k_overlap == 2  # of three tokens all are among the five likeliest


def test_blocks_of_rows_add_up_to_the_whole() -> None:
    generator = np.random.default_rng(0)
    baseline, ours = generator.standard_normal((2, 70, 30), dtype=np.float32)
    targets = generator.integers(30, size=70)
    whole = divergence(baseline, ours, targets)
    single = [divergence(baseline[[row]], ours[[row]], targets[[row]]) for row in range(70)]
    assert vars(Divergence.total(single)) == pytest.approx(vars(whole))


def test_tokens_are_equal_up_to_the_first_that_differs() -> None:
    assert equal_tokens([1, 2, 3], [1, 2, 3]) == 3
    assert equal_tokens([1, 2, 3], [1, 9, 3]) == 1
    assert equal_tokens([1, 2, 3], [1, 2]) == 2
    assert equal_tokens([1], [2]) == 0


def cache_of(values: npt.NDArray[np.float32]) -> KeyValueCache:
    return KeyValueCache(values, np.array([values.shape[4]], dtype=np.int64))


def test_the_error_of_a_layer_is_relative_and_free_of_channel_scales_and_shifts_of_keys() -> None:
    architecture = tiny_architecture(num_layers=2, hidden_size=6, num_heads=3)
    generator = np.random.default_rng(0)
    buffer = generator.standard_normal((2, 2, 1, 3, 2000, 2)).astype(np.float32)
    ours = buffer.copy()
    ours[1, 1] += 0.1 * generator.standard_normal(ours[1, 1].shape).astype(np.float32)
    ours[:, :, :, :, :, 1] *= 8
    ours[:, 0, :, :, :, 0] += 3
    comparison = CacheComparison(architecture)
    comparison.add(cache_of(buffer), cache_of(ours))
    first, second = comparison.errors()
    assert (first.keys, first.values, second.keys) == pytest.approx((0, 0, 0), abs=1e-6)
    assert second.values == pytest.approx(0.1, rel=0.03)


# --- the picture


@pytest.mark.parametrize(("name", "said"), [("x.pdf", r"ends with \.svg or \.png"), ("none/x.svg", "no folder")])
def test_a_picture_that_cannot_be_written_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        check_plot(tmp_path / name)


def test_without_matplotlib_a_picture_is_refused_kindly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'pip install "biogpt-onnx\[plot\]"'):
        check_plot(tmp_path / "x.svg")


def test_the_picture_of_equal_evaluations_is_equal(worse: Evaluation, same: Evaluation, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_layer_errors(same, tmp_path / "zeros.svg")
    plot_layer_errors(worse, tmp_path / "first.svg")
    plot_layer_errors(worse, tmp_path / "second.svg")
    plot_layer_errors(worse, tmp_path / "third.PNG")
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()
    assert (tmp_path / "third.PNG").read_bytes().startswith(b"\x89PNG")
