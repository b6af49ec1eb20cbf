from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.options import LoadOptions
from makers.checkpoints import Tensors, lively_tensors, tiny_architecture, write_huggingface
from makers.outliers import read_tensors, with_outliers, write_altered_checkpoint, write_outlier_checkpoint

TEXT_IDS = np.random.default_rng(1).integers(4, 300, size=(1, 40))


def exported(checkpoint: Path, target: Path) -> Path:
    export_bundle(open_checkpoint(checkpoint), target)
    return target


def logits_of(folder: Path) -> npt.NDArray[np.float32]:
    session = DecoderSession(folder, read_manifest(folder), LoadOptions(threads=1))
    length = TEXT_IDS.shape[1]
    return session.forward(TEXT_IDS, session.new_cache(1, length), logits_indices=np.arange(length))


def linear_inputs(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """What each linear layer of a bundle reads, [rows, features] by the layer's name."""
    model = onnx.load(folder / bundle.MODEL_FILE)
    nodes = [node for node in model.graph.node if node.op_type == "Gemm"]
    del model.graph.output[:]
    # Two may read the same, but an output has one name.
    names = list(dict.fromkeys(node.input[0] for node in nodes))
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    length = TEXT_IDS.shape[1]
    feeds = {
        bundle.INPUT_IDS: TEXT_IDS,
        bundle.POSITION_IDS: np.arange(length)[None],
        bundle.SEQLENS_K: np.array([length - 1], dtype=np.int32),
        bundle.TOTAL_SEQUENCE_LENGTH: np.array(length, dtype=np.int32),
        bundle.ATTENTION_BIAS: np.zeros((1, 1, length, length), dtype=np.float32),
        bundle.LOGITS_INDICES: np.arange(length),
    }
    shape = read_manifest(folder).architecture
    past = np.zeros((1, shape.num_heads, length, shape.head_size), dtype=np.float32)
    feeds |= {
        bundle.past_name(layer, part): past.copy() for layer in range(shape.num_layers) for part in ("key", "value")
    }
    values = dict(zip(names, session.run(names, feeds), strict=True))
    return {node.name: values[node.input[0]] for node in nodes}


def peaks(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Each channel's largest value, as a multiple of the median channel's."""
    largest = np.abs(inputs).max(axis=0)
    ratio: npt.NDArray[np.float32] = largest / np.median(largest)
    return ratio


@pytest.fixture(scope="module")
def mini_logits(mini_bundle: Path) -> npt.NDArray[np.float32]:
    return logits_of(mini_bundle)


# The logits go up to 16, of which a float32 holds steps of 1e-6; differences of 1e-5 at most were measured.
@pytest.mark.parametrize(("factor", "most"), [(30, 1e-4), (100, 1e-4), (64, 0)])
def test_an_outlier_checkpoint_computes_the_same_as_its_source(
    factor: float, most: float, mini_checkpoint: Path, mini_logits: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    outliers = write_outlier_checkpoint(mini_checkpoint, tmp_path / "checkpoint", factor, channels=6)
    logits = logits_of(exported(outliers, tmp_path / "bundle"))
    assert np.abs(logits - mini_logits).max() <= most


def test_every_linear_layer_but_the_last_reads_outliers(
    mini_bundle: Path, mini_checkpoint: Path, tmp_path: Path
) -> None:
    outliers = write_outlier_checkpoint(mini_checkpoint, tmp_path / "checkpoint", factor=100)
    plain, hard = linear_inputs(mini_bundle), linear_inputs(exported(outliers, tmp_path / "bundle"))
    assert len(hard) == 4 * 4 + 1
    for name in hard:
        own, theirs = (int(np.sum(peaks(each[name]) > 20, dtype=np.int64)) for each in (plain, hard))
        if "fc2" in name or "output_projection" in name:
            assert theirs == own, name
        else:
            assert (own, theirs) == (0, 4), name


def test_a_head_of_its_own_lets_the_last_normalization_have_outliers(tmp_path: Path) -> None:
    architecture = tiny_architecture(tied_head=False)
    source = write_huggingface(tmp_path / "plain", architecture, lively_tensors(architecture))
    outliers = write_outlier_checkpoint(source, tmp_path / "altered", factor=64)
    plain, hard = exported(source, tmp_path / "plain-bundle"), exported(outliers, tmp_path / "outlier-bundle")
    assert np.array_equal(logits_of(hard), logits_of(plain))
    (head,) = [inputs for name, inputs in linear_inputs(hard).items() if "output_projection" in name]
    assert np.sum(peaks(head) > 10) == 4


def test_a_seed_makes_the_same_weights_again_and_another_seed_others() -> None:
    tensors = lively_tensors(tiny_architecture())
    before = {name: values.copy() for name, values in tensors.items()}
    first, again, other = (with_outliers(tensors, 30, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in tensors)
    assert not all(np.array_equal(first[name], other[name]) for name in tensors)
    assert all(np.array_equal(tensors[name], before[name]) for name in tensors)


def test_an_altered_checkpoint_has_the_vocabulary_of_its_source(mini_checkpoint: Path, tmp_path: Path) -> None:
    tensors: Tensors = read_tensors(mini_checkpoint)
    made = open_checkpoint(write_altered_checkpoint(mini_checkpoint, tmp_path / "altered", tensors))
    source = open_checkpoint(mini_checkpoint)
    assert (made.symbols, made.merges, made.architecture) == (source.symbols, source.merges, source.architecture)
    assert {tensor.stored_dtype for tensor in made.tensors.values()} == {"float32"}
