import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx import CheckpointError
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.optimum import export_optimum
from biogpt_onnx.runtime.bundle import HEAD_FORMAT_VERSION, ClassificationHead, read_manifest
from makers.checkpoints import SEQUENCE, TOKENS, random_tensors, tiny_architecture, write_huggingface

ARCHITECTURE = tiny_architecture()
ONE = ClassificationHead("sequence-classification", ("grade",), "regression", 1)


def opened(folder: Path, head: ClassificationHead, **config: Any) -> Checkpoint:
    return open_checkpoint(write_huggingface(folder, ARCHITECTURE, head=head, config=config))


@pytest.mark.parametrize(
    "head",
    [
        SEQUENCE,
        TOKENS,
        ONE,
        dataclasses.replace(SEQUENCE, problem_type="multi_label_classification"),
        dataclasses.replace(SEQUENCE, pad_token_id=None),
        dataclasses.replace(SEQUENCE, pad_token_id=17),
    ],
)
def test_a_head_is_read_exported_and_recorded(tmp_path: Path, head: ClassificationHead) -> None:
    checkpoint = opened(tmp_path / "checkpoint", head)
    assert checkpoint.head == head
    export_bundle(checkpoint, tmp_path / "bundle")
    manifest = read_manifest(tmp_path / "bundle")
    assert (manifest.head, manifest.format_version, manifest.task) == (head, HEAD_FORMAT_VERSION, None)
    # The bundle's own config.json says the same.
    again = write_huggingface(tmp_path / "again", ARCHITECTURE, head=head)
    (again / "config.json").write_bytes((tmp_path / "bundle" / "config.json").read_bytes())
    assert open_checkpoint(again).head == head


def test_defaults_that_transformers_leaves_out_of_the_file_are_its_own(tmp_path: Path) -> None:
    two = ClassificationHead("sequence-classification", ("LABEL_0", "LABEL_1"), pad_token_id=1)
    folder = write_huggingface(tmp_path, ARCHITECTURE, head=two)
    config = (folder / "config.json").read_text(encoding="utf-8")
    for name in ("id2label", "label2id", "problem_type", "pad_token_id", "architectures"):
        config = config.replace(f'"{name}"', f'"no_{name}"')
    (folder / "config.json").write_text(config, encoding="utf-8")
    assert open_checkpoint(folder).head == two


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id2label": None}, "has 2 labels .id2label., score.weight 3 rows"),
        ({"id2label": {"0": "a", "1": "b"}}, "has 2 labels .id2label., score.weight 3 rows.*from 0 to 2"),
        ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "the name of each id from 0 to 2"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "gives the name 'a' to 2 ids"),
        ({"id2label": {"0": "a", "1": "b", "2": 5}}, "id2label holds 5; names must be strings"),
        ({"id2label": ["a", "b", "c"]}, "must be an object"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'; known are"),
        ({"pad_token_id": "1"}, "pad_token_id is '1'"),
        ({"architectures": ["BioGptForTokenClassification"]}, "there is no classifier.weight"),
        ({"architectures": ["BioGptForCausalLM"]}, "says BioGptForCausalLM, but there is a score.weight"),
    ],
)
def test_what_is_wrong_with_a_head_is_said_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as error:
        opened(tmp_path, SEQUENCE, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("problem_type", [None, "single_label_classification"])
def test_one_label_that_may_be_a_number_or_a_probability_must_be_declared(
    tmp_path: Path, problem_type: str | None
) -> None:
    with pytest.raises(CheckpointError, match=r'set problem_type in config.json to "regression"'):
        opened(tmp_path, ONE, problem_type=problem_type)


def test_a_declared_classifier_without_its_head_is_refused(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, ARCHITECTURE, config={"architectures": ["BioGptForSequenceClassification"]})
    with pytest.raises(CheckpointError, match=r"there is no score.weight: save the model again"):
        open_checkpoint(folder)


def test_a_head_beside_a_language_model_head_is_not_chosen_between(tmp_path: Path) -> None:
    tensors = random_tensors(ARCHITECTURE, head=SEQUENCE)
    tensors["output_projection.weight"] = np.ones((ARCHITECTURE.vocab_size, ARCHITECTURE.hidden_size), np.float32)
    folder = write_huggingface(tmp_path, ARCHITECTURE, tensors, head=SEQUENCE)
    with pytest.raises(CheckpointError, match=r"unexpected 1 tensor: output_projection.weight"):
        open_checkpoint(folder)


def test_a_task_and_the_optimum_layout_are_for_language_models(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path / "checkpoint", TOKENS)
    with pytest.raises(CheckpointError, match="task hoc is one of language models"):
        export_bundle(checkpoint, tmp_path / "bundle", task="hoc")
    with pytest.raises(CheckpointError, match="the optimum layout is for language models"):
        export_optimum(checkpoint, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
