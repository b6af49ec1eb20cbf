from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, BundleError, ConfigError, PromptError
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.embedding import Pooling, pooled
from makers.bundles import as_written_before_hidden_states
from makers.models import DeviceFake, FakeModel

TEXTS = ["Lithium caused tremor in two of nine patients.", "COVID-19 & TNF-alpha.", "Aspirin", "Insulin " * 30]


@pytest.fixture(scope="module")
def expected(mini_checkpoint: Path) -> Callable[[str], Any]:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    model = transformers.BioGptModel.from_pretrained(mini_checkpoint).float().eval()
    tokenizer = transformers.BioGptTokenizer.from_pretrained(mini_checkpoint)

    def states(text: str) -> Any:
        with torch.no_grad():
            return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()

    return states


def test_vectors_are_the_pooled_hidden_states_of_transformers(mini: BioGPT, expected: Callable[[str], Any]) -> None:
    states = [expected(text) for text in TEXTS]
    mean, last = mini.embed(TEXTS), mini.embed(TEXTS, pooling="last")
    assert mean.dtype == last.dtype == np.float32
    assert mean.shape == (len(TEXTS), mini.manifest.architecture.hidden_size)
    assert np.allclose(mean, [row.mean(axis=0) for row in states], atol=1e-5)
    assert np.allclose(last, [row[-1] for row in states], atol=1e-5)


def test_a_vector_is_to_the_last_bit_that_of_the_text_alone(mini: BioGPT) -> None:
    together = mini.embed(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert mini.embed(text).tobytes() == vector.tobytes()
    assert mini.embed(TEXTS[::-1])[::-1].tobytes() == together.tobytes()


def test_normalized_vectors_have_length_one_and_their_direction(mini: BioGPT) -> None:
    plain, normalized = mini.embed(TEXTS), mini.embed(TEXTS, normalize=True)
    assert np.allclose(np.linalg.norm(normalized, axis=1), 1)
    assert np.allclose(normalized * np.linalg.norm(plain, axis=1, keepdims=True), plain, atol=1e-5)


def test_embedding_does_not_change_what_is_generated(mini_bundle: Path) -> None:
    model = biogpt_onnx.load(mini_bundle, warm_up=False)
    before = model.generate(TEXTS[0], max_new_tokens=8).token_ids
    model.embed(TEXTS)
    assert model.generate(TEXTS[0], max_new_tokens=8).token_ids == before


@pytest.mark.parametrize("recipe", ["int8", "int4", "int8-dynamic", "fp16"])
def test_quantized_bundles_embed(mini_by: Callable[[str], Path], mini: BioGPT, recipe: str) -> None:
    model = biogpt_onnx.load(mini_by(recipe), device="cpu", warm_up=False)
    found, wanted = model.embed(TEXTS[:3], normalize=True), mini.embed(TEXTS[:3], normalize=True)
    assert (found * wanted).sum(axis=1).min() > (0.97 if recipe == "int4" else 0.998)


@pytest.mark.parametrize("options", [{"prepack": False}, {"share_weights": True}])
def test_every_storage_of_weights_embeds_the_same(
    mini_bundle: Path, mini: BioGPT, tmp_path: Path, options: dict[str, Any]
) -> None:
    if "share_weights" in options:
        options = options | {"cache_folder": tmp_path}
    model = biogpt_onnx.load(mini_bundle, warm_up=False, **options)
    assert np.allclose(model.embed(TEXTS[0]), mini.embed(TEXTS[0]), atol=1e-5)


def test_a_bundle_of_an_earlier_version_generates_and_says_what_to_do_to_embed(
    mini_bundle: Path, tmp_path: Path
) -> None:
    old = as_written_before_hidden_states(mini_bundle, tmp_path / "old")
    model = biogpt_onnx.load(old, warm_up=False)
    assert model.generate("Aspirin", max_new_tokens=2).token_ids
    with pytest.raises(BundleError, match=r"no output for hidden states.*export the checkpoint again"):
        model.embed("Aspirin")


def test_an_old_bundle_that_is_quantized_now_embeds(mini_bundle: Path, tmp_path: Path) -> None:
    old = as_written_before_hidden_states(mini_bundle, tmp_path / "old")
    quantize_bundle(old, tmp_path / "int8", RECIPES["int8"])
    assert biogpt_onnx.load(tmp_path / "int8", warm_up=False).embed("Aspirin").any()


@pytest.mark.parametrize(
    ("texts", "settings", "message"),
    [
        ([], {}, "the list of texts is empty"),
        (["Aspirin", 5], {}, r"texts\[1\]: a text is of type int"),
        (5, {}, "texts are of type int"),
        (["Aspirin", " \n"], {}, r"texts\[1\]: the text holds no words"),
        (["the " * 2000], {}, "^the text has 2,001 tokens.*set truncation"),
        ("Aspirin", {"pooling": "max"}, "pooling is 'max': choose mean or last"),
        ("Aspirin", {"truncation": "left"}, "truncation is 'left'"),
    ],
)
def test_bad_input_is_one_clear_line(mini: BioGPT, texts: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises((PromptError, ConfigError), match=message):
        mini.embed(texts, **settings)


def test_a_long_text_may_lose_its_end(mini: BioGPT) -> None:
    positions = mini.manifest.architecture.max_positions
    whole = "the " * (positions - 1)
    assert (mini.embed(whole + "tail", truncation="right") == mini.embed(whole)).all()


def test_a_device_without_hidden_states_is_refused(mini: BioGPT) -> None:
    model = BioGPT(DeviceFake(lambda _: 5).backend, mini.tokenizer, mini.manifest)
    with pytest.raises(ConfigError, match="on the CPU only, the device is cuda"):
        model.embed("Aspirin")


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [3.5, 2.5]), ("last", [6, 5])])
def test_a_text_is_read_in_chunks(monkeypatch: pytest.MonkeyPatch, pooling: Pooling, expected: list[float]) -> None:
    monkeypatch.setattr("biogpt_onnx.runtime.backends.chunks.CHUNK_TOKENS", 4)
    model = FakeModel(lambda _: 5)
    assert pooled(model.backend, [1, 2, 3, 4, 5, 6], pooling, normalize=False).tolist() == expected
    assert model.shapes == [(1, 4), (1, 2)]
