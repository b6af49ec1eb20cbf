"""Microsoft's fairseq checkpoints, read without fairseq."""

import sys
import types
from argparse import Namespace
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import HEAD
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import (
    random_tensors,
    tiny_architecture,
    tiny_vocabulary,
    write_fairseq,
    write_fairseq_vocabulary,
)

torch = pytest.importorskip("torch")

ARCHITECTURE = tiny_architecture()
ARGS = Namespace(
    decoder_attention_heads=3,
    activation_fn="gelu",
    decoder_normalize_before=True,
    no_scale_embedding=False,
    share_decoder_input_output_embed=True,
    save_dir=Path("/somewhere"),
)


def assert_holds(checkpoint: Checkpoint, architecture: Architecture = ARCHITECTURE) -> None:
    expected = random_tensors(architecture)
    assert checkpoint.architecture == architecture
    assert set(checkpoint.tensors) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(checkpoint.tensors[name].read(), values)
    assert (checkpoint.symbols, checkpoint.merges) == tiny_vocabulary(architecture)


@pytest.fixture
def foreign() -> Iterator[types.ModuleType]:
    """A package that is there when the checkpoint is written and gone when it is read."""
    package = types.ModuleType("omegaconf")
    content: dict[str, object] = {"__module__": "omegaconf"}
    for name in ("DictConfig", "AnyNode", "ContainerMetadata"):
        setattr(package, name, type(name, (), dict(content)))
    package.Choice = Enum("Choice", {"gelu": "gelu"}, module="omegaconf")  # type: ignore[attr-defined, misc]
    sys.modules["omegaconf"] = package
    yield package
    del sys.modules["omegaconf"]


def test_a_checkpoint_with_args_is_read(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_fairseq(tmp_path / "Pre-trained-BioGPT", ARCHITECTURE, args=ARGS))
    assert_holds(checkpoint)
    assert checkpoint.source == "fairseq:Pre-trained-BioGPT/checkpoint.pt"


def test_a_checkpoint_of_old_torch_is_read(tmp_path: Path) -> None:
    assert_holds(open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=ARGS, zipped=False)))


@pytest.mark.parametrize("model", [ARGS, vars(ARGS)])
def test_a_checkpoint_with_a_plain_cfg_is_read(tmp_path: Path, model: object) -> None:
    cfg = {"_name": None, "model": model, "common": {"fp16": True}}
    assert_holds(open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, cfg=cfg)))


def test_a_checkpoint_with_omegaconf_objects_is_read_without_omegaconf(
    tmp_path: Path, foreign: types.ModuleType
) -> None:
    def node(value: object) -> object:
        made = foreign.AnyNode()
        vars(made).update(_metadata=foreign.ContainerMetadata(), _val=value)
        return made

    def container(content: dict[str, object]) -> object:
        made = foreign.DictConfig()
        vars(made).update(_metadata=foreign.ContainerMetadata(), _content=content)
        return made

    model = container(
        {
            "decoder_attention_heads": node(3),
            "activation_fn": node(foreign.Choice.gelu),
            "no_scale_embedding": node(value=True),
        }
    )
    write_fairseq(tmp_path, ARCHITECTURE, cfg=container({"model": model}))
    del sys.modules["omegaconf"]
    try:
        checkpoint = open_checkpoint(tmp_path)
    finally:
        sys.modules["omegaconf"] = foreign
    assert_holds(checkpoint, replace(ARCHITECTURE, scale_embedding=False))


def test_a_member_of_an_enumeration_is_read_as_early_pythons_wrote_it(
    tmp_path: Path, foreign: types.ModuleType
) -> None:
    class Written:
        def __reduce__(self) -> tuple[object, ...]:
            return getattr, (foreign.Choice, "gelu")

    args = Namespace(decoder_attention_heads=3, activation_fn=Written())
    assert_holds(open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=args)), ARCHITECTURE)


def test_training_state_of_many_kinds_does_no_harm(tmp_path: Path, foreign: types.ModuleType) -> None:
    counts = defaultdict(list)
    counts["steps"].append(1)
    more = {
        "last_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(5)}}, "param_groups": [{"lr": np.float64(1e-5)}]},
        "optimizer_history": [{"criterion_name": "LM", "num_updates": 2**40}],
        "extra_state": OrderedDict(val_loss=np.float32(3.5), best=float("inf"), queue=deque([1, 2]), counts=counts),
        "task_state": {"names": {"a"}, "types": [int, str, dict], "array": np.arange(3), "raw": b"\x00\xff"},
        "choice": foreign.Choice.gelu,
    }
    assert_holds(open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=ARGS, more=more)))


def test_a_head_of_its_own_is_kept(tmp_path: Path) -> None:
    architecture = replace(ARCHITECTURE, tied_head=False)
    checkpoint = open_checkpoint(write_fairseq(tmp_path, architecture, args=Namespace(decoder_attention_heads=3)))
    assert_holds(checkpoint, architecture)
    assert HEAD in checkpoint.tensors


def test_without_settings_a_published_size_is_taken_to_be_the_published_model(tmp_path: Path) -> None:
    architecture = tiny_architecture(num_layers=1, hidden_size=1024, num_heads=16)
    checkpoint = open_checkpoint(write_fairseq(tmp_path, architecture))
    assert_holds(checkpoint, architecture)
    heads, scaling = checkpoint.notes
    assert "the number of attention heads is not in the file: it is taken to be 16" in heads
    assert "the file has no settings: embeddings are taken to be scaled" in scaling


def test_without_settings_another_size_needs_the_number_of_heads(tmp_path: Path) -> None:
    folder = write_fairseq(tmp_path, ARCHITECTURE)
    with pytest.raises(CheckpointError, match="the weights do not tell it: say it with --num-heads"):
        open_checkpoint(folder)
    checkpoint = open_checkpoint(folder, num_heads=3, scale_embedding=False)
    assert_holds(checkpoint, replace(ARCHITECTURE, scale_embedding=False))
    assert checkpoint.notes == ()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"num_heads": 9}, "the file says 3 attention heads, --num-heads 9"),
        ({"scale_embedding": False}, "the file says no_scale_embedding False"),
    ],
)
def test_what_the_user_says_may_not_contradict_the_file(tmp_path: Path, options: dict[str, int], part: str) -> None:
    with pytest.raises(CheckpointError, match=part):
        open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=ARGS), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("heads", ["3", " 3 ", 3.0, np.int64(3), np.float32(3), np.uint8(3)])
def test_numbers_of_other_types_are_read(tmp_path: Path, heads: object, *, zipped: bool) -> None:
    args = Namespace(**(vars(ARGS) | {"decoder_attention_heads": heads}))
    assert_holds(open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=args, zipped=zipped)))


@pytest.mark.parametrize("flag", [1, 1.0, "True", "true", "1", np.bool_(True)])  # noqa: FBT003 -- a value
def test_flags_of_other_types_are_read(tmp_path: Path, flag: object) -> None:
    args = Namespace(**(vars(ARGS) | {"no_scale_embedding": flag}))
    checkpoint = open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, args=args))
    assert_holds(checkpoint, replace(ARCHITECTURE, scale_embedding=False))


@pytest.mark.parametrize("list_soft_prompt", [False, True])
def test_rows_beyond_the_dictionary_are_a_soft_prompt(tmp_path: Path, *, list_soft_prompt: bool) -> None:
    architecture = tiny_architecture(vocab_size=320, soft_prompt_size=9)
    write_fairseq(tmp_path, architecture, args=ARGS, list_soft_prompt=list_soft_prompt)
    assert_holds(open_checkpoint(tmp_path), architecture)


def test_averaged_weights_win_over_the_last_ones_and_the_source_says_so(tmp_path: Path) -> None:
    write_fairseq(tmp_path / "a", ARCHITECTURE, args=ARGS, file_name="checkpoint_last.pt")
    write_fairseq(tmp_path / "a", ARCHITECTURE, args=ARGS, file_name="checkpoint_avg.pt")
    assert open_checkpoint(tmp_path / "a").source == "fairseq:a/checkpoint_avg.pt"
    assert open_checkpoint(tmp_path / "a" / "checkpoint_last.pt").source == "fairseq:a/checkpoint_last.pt"


def test_a_file_of_any_name_can_be_given(tmp_path: Path) -> None:
    write_fairseq(tmp_path, ARCHITECTURE, args=ARGS, file_name="epoch7.pt")
    assert_holds(open_checkpoint(tmp_path / "epoch7.pt"))
    with pytest.raises(CheckpointError, match=r"name the file itself \(epoch7\.pt\)"):
        open_checkpoint(tmp_path)


def test_the_dictionary_may_lie_above_or_elsewhere(tmp_path: Path) -> None:
    folder = write_fairseq(tmp_path / "model", ARCHITECTURE, args=ARGS)
    (folder / "dict.txt").unlink()
    with pytest.raises(CheckpointError, match=r"no vocabulary: .*dict\.txt and bpecodes"):
        open_checkpoint(folder)
    write_fairseq_vocabulary(tmp_path / "data", ARCHITECTURE)
    assert_holds(open_checkpoint(folder, vocabulary=tmp_path / "data"))
    write_fairseq_vocabulary(tmp_path, ARCHITECTURE)
    assert_holds(open_checkpoint(folder))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"activation_fn": "relu"}, "activation_fn is 'relu'"),
        ({"activation_fn": "gelu_accurate"}, "activation_fn is 'gelu_accurate'"),
        ({"decoder_normalize_before": False}, "only pre-normalization"),
        ({"decoder_attention_heads": 7}, "hidden size 72 is no multiple of 7 attention heads"),
        ({"decoder_attention_heads": None}, "the number of attention heads is not in the file"),
        ({"decoder_attention_heads": "many"}, "decoder_attention_heads is 'many'; it must be a whole number"),
        ({"decoder_attention_heads": 3.5}, "decoder_attention_heads is 3.5"),
        ({"decoder_attention_heads": True}, "decoder_attention_heads is True"),
        ({"decoder_attention_heads": float("nan")}, "decoder_attention_heads is nan"),
        ({"no_scale_embedding": "maybe"}, "no_scale_embedding is 'maybe'; it must be True or False"),
        ({"activation_fn": 7}, "activation_fn is 7; it must be a string"),
        ({"share_decoder_input_output_embed": [1]}, "share_decoder_input_output_embed is [1]"),
    ],
)
def test_a_model_that_computes_otherwise_is_refused(tmp_path: Path, changes: dict[str, object], part: str) -> None:
    write_fairseq(tmp_path, ARCHITECTURE, args=Namespace(**(vars(ARGS) | changes)))
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path)
    assert part in str(caught.value)


def test_missing_and_unexpected_tensors_are_told_together(tmp_path: Path) -> None:
    tensors = random_tensors(ARCHITECTURE) | {"embed_positions.extra": np.ones(3, np.float32)}
    del tensors["layers.2.fc2.bias"]
    write_fairseq(tmp_path, ARCHITECTURE, tensors, args=ARGS)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path)
    assert "missing 1 tensor: layers.2.fc2.bias" in str(caught.value)
    assert "unexpected 1 tensor: decoder.embed_positions.extra" in str(caught.value)


def test_another_models_pickle_is_recognised(tmp_path: Path) -> None:
    write_fairseq_vocabulary(tmp_path, ARCHITECTURE)
    for content, part in (
        ({"state_dict": {}}, "no entry `model`"),
        ([1, 2], "no entry `model`"),
        ({"model": {"encoder.weight": torch.ones(2)}}, "missing embed_tokens.weight"),
        ({"model": {"decoder.embed_tokens.weight": 7}}, "no dense tensor"),
        ({"model": 5}, "no state dict"),
    ):
        torch.save(content, tmp_path / "checkpoint.pt")
        with pytest.raises(CheckpointError, match=part):
            open_checkpoint(tmp_path)


def test_a_whole_module_in_place_of_its_tensors_says_how_to_save_it(tmp_path: Path, foreign: types.ModuleType) -> None:
    folder = write_fairseq(tmp_path, ARCHITECTURE, args=ARGS, more={"model": foreign.AnyNode()})
    with pytest.raises(CheckpointError, match=r"`model` in checkpoint\.pt"):
        open_checkpoint(folder)


@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 3, 4)])
def test_an_embedding_that_is_no_matrix_is_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tensors = random_tensors(ARCHITECTURE) | {"embed_tokens.weight": np.zeros(shape, np.float32)}
    with pytest.raises(CheckpointError, match=r"embed_tokens\.weight is \[.*\], which is no matrix"):
        open_checkpoint(write_fairseq(tmp_path, ARCHITECTURE, tensors, args=ARGS))


def test_a_folder_under_the_checkpoints_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").mkdir()
    with pytest.raises(CheckpointError, match=r"no checkpoint\.pt"):
        open_checkpoint(tmp_path)
