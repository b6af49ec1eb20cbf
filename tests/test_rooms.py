"""The public functions of export, quantize and scores, as a program calls them."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.export import export_checkpoint
from biogpt_onnx.quantize import Evaluation, HeadEvaluation, Quantization, evaluate_bundle, quantize_bundle
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.scores import evaluate_task
from makers.checkpoints import SEQUENCE, tiny_architecture, write_huggingface

TEXTS = ["Aspirin inhibits platelets in patients with stroke.", "Lithium caused tremor in two of nine patients."]
ROOMS = ("biogpt_onnx.export", "biogpt_onnx.quantize", "biogpt_onnx.scores", "biogpt_onnx.server")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_huggingface(tmp_path_factory.mktemp("rooms") / "tiny", tiny_architecture())


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_there_and_no_other(room: str) -> None:
    module = import_module(room)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize(
    ("room", "name", "error"),
    [("export", "export_checkpoint", "CheckpointError"), ("quantize", "quantize_bundle", "BundleError")],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(room: str, name: str, error: str) -> None:
    program = (
        "import sys\n"
        "sys.modules['onnx_ir'] = None\n"
        "import biogpt_onnx\n"
        f"try:\n    from biogpt_onnx.{room} import {name}\n"
        f"except biogpt_onnx.{error} as found:\n    print(found)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "onnx_ir" in done.stdout
    assert 'pip install "biogpt-onnx[export]"' in done.stdout


# --- export


def test_a_checkpoint_becomes_a_bundle_in_one_call(tiny: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = export_checkpoint(str(tiny), str(tmp_path / "bundle"), progress=lambda *step: steps.append(step))
    assert found.manifest == read_manifest(tmp_path / "bundle")
    assert found.manifest is not None
    assert found.manifest.tools["biogpt-onnx"] == biogpt_onnx.__version__
    assert found.source == "huggingface:tiny"
    assert steps[-1][0] == steps[-1][1] > 1


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"layout": "gguf"}, biogpt_onnx.ConfigError, "layout is 'gguf'"),
        ({"layout": "optimum", "task": "hoc"}, biogpt_onnx.ConfigError, "--task"),
        ({"vocabulary": "nowhere"}, biogpt_onnx.CheckpointError, "no vocabulary"),
    ],
)
def test_an_export_that_fails_leaves_nothing(
    tiny: Path, tmp_path: Path, settings: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        export_checkpoint(tiny, tmp_path / "bundle", **settings)  # type: ignore[arg-type] # bad on purpose
    assert list(tmp_path.iterdir()) == []


def test_an_export_never_replaces_its_source(tiny: Path) -> None:
    with pytest.raises(biogpt_onnx.BundleError):
        export_checkpoint(tiny, tiny, overwrite=True)
    assert (tiny / "config.json").is_file()


# --- quantize and evaluate


def test_a_bundle_is_made_smaller_and_compared_in_one_call(mini_bundle: Path, tmp_path: Path) -> None:
    before: list[Quantization] = []
    stages: set[str] = set()
    found = quantize_bundle(
        mini_bundle,
        tmp_path / "int8",
        texts=TEXTS,
        max_perplexity_increase=0.2,
        report=lambda what, _done, _total: stages.add(what),
        written=before.append,
    )
    assert found.manifest.recipe == "int8"
    assert isinstance(found.evaluation, Evaluation)
    assert found.passed
    assert "PASS" in found.table()
    assert stages == {"writing weights", "evaluating"}
    assert [(each.manifest, each.evaluation, each.table()) for each in before] == [(found.manifest, None, "")]
    recorded = read_manifest(tmp_path / "int8").evaluation
    assert recorded is not None
    assert recorded["gate"] == {"max_perplexity_increase": 0.2, "passed": True}
    again = evaluate_bundle(tmp_path / "int8", mini_bundle, TEXTS, prompts=0)
    assert isinstance(again, Evaluation)
    assert again.perplexity_increase == found.evaluation.perplexity_increase


def test_a_bundle_that_misses_its_limit_stays_and_says_so(mini_bundle: Path, tmp_path: Path) -> None:
    found = quantize_bundle(mini_bundle, tmp_path / "int4", "int4", texts=TEXTS, max_perplexity_increase=0.0)
    assert found.passed == (isinstance(found.evaluation, Evaluation) and found.evaluation.passed(0.0))
    assert read_manifest(tmp_path / "int4").recipe == "int4"


@pytest.mark.parametrize(
    ("recipe", "settings", "said"),
    [
        ("int3", {}, "recipe is 'int3': choose one of int8"),
        ("bf16", {}, "evaluation=False"),
        ("auto", {"calibration": TEXTS, "texts": TEXTS}, "2 of 2 documents"),
    ],
)
def test_what_cannot_be_quantized_leaves_nothing(
    mini_bundle: Path, tmp_path: Path, recipe: str, settings: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(biogpt_onnx.BioGptError, match=said):
        quantize_bundle(mini_bundle, tmp_path / "out", recipe, **settings)  # type: ignore[arg-type] # texts alone
    assert list(tmp_path.iterdir()) == []


def test_classifiers_are_compared_by_their_labels_on_the_cpu(classifier_bundle: Path) -> None:
    found = evaluate_bundle(classifier_bundle, classifier_bundle, TEXTS)
    assert isinstance(found, HeadEvaluation)
    assert found.largest_difference == 0
    with pytest.raises(biogpt_onnx.ConfigError, match="classifiers run on the CPU only"):
        evaluate_bundle(classifier_bundle, classifier_bundle, TEXTS, device="cuda")


@pytest.fixture(scope="module")
def classifier_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    checkpoint = write_huggingface(folder / "checkpoint", tiny_architecture(), head=SEQUENCE)
    export_checkpoint(checkpoint, folder / "bundle")
    return folder / "bundle"


# --- scores


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    relation = {"chemical": "C1", "disease": "D1"}
    names = {"chemical2id": {"lithium": "C1"}, "disease2id": {"tremor": "D1"}}
    documents = {
        "1": {"title": "Lithium.", "abstract": "Lithium caused tremor.", "relations": [relation], **names},
        "2": {"title": "Tremor.", "abstract": "Tremor was seen.", "relations": [], **names},
    }
    path = tmp_path / "gold.json"
    path.write_text(json.dumps(documents), encoding="utf-8")
    return path


def test_a_bundle_is_scored_in_one_call_as_the_command_does(
    mini_bundle: Path, gold: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluate_task(mini_bundle, str(gold), task="bc5cdr", as_published=True)
    arguments = ["evaluate-task", str(mini_bundle), "--gold", str(gold), "--task", "bc5cdr", "--as-published"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_dict()))
    # The second document has no relation, so the published programs do not count it.
    assert found.to_dict()["published"][mini_bundle.name]["documents"] == 1
    text = found.to_markdown()
    assert "## As published" in text
    assert "**Caution:** 2 documents say little of others" in text
    assert text.endswith(
        "0 of 2 documents were too long and were read in part; 0 answers ended for want of room; "
        f"{found.reading['with_unparsed']} held something that cannot be read.\n"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task": "nothing"}, "task is 'nothing': known are"),
        ({"task": "bc5cdr", "last": 0}, "last"),
        ({"task": "bc5cdr", "batch_size": 0}, "batch_size"),
        ({"task": "bc5cdr", "as_published": True, "too_long": "windows"}, "as_published"),
        ({"task": "bc5cdr", "training": "x.json"}, "training"),
        ({}, "the bundle does not say what it is for"),
    ],
)
def test_settings_that_are_none_of_the_task_are_refused(
    mini_bundle: Path, gold: Path, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(biogpt_onnx.ConfigError, match=said):
        evaluate_task(mini_bundle, gold, **settings)  # type: ignore[arg-type] # bad on purpose
