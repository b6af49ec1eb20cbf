"""`verify` compares what users write, not only random ids, and does not check a reader by itself."""

import argparse
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD, to_fairseq
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.parity_report import Verdict
from biogpt_onnx.export.text_parity import TEXTS, compare_end_tokens, compare_texts
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.added_tokens import AddedToken
from biogpt_onnx.runtime.tokenizer.vocabulary import read_merges, read_symbols
from makers.adapters import lora_matrices, write_adapter
from makers.checkpoints import lively_tensors, random_tensors, tiny_architecture, write_fairseq, write_huggingface

pytest.importorskip("torch")
pytest.importorskip("transformers")

from biogpt_onnx.export import reference as reference_module
from biogpt_onnx.export.reference import open_reference

ARCHITECTURE = tiny_architecture()


class Reference:
    """A tokenizer that may differ from the one that it asks."""

    def __init__(self, tokenizer: BioGptTokenizer, extra: list[int] | None = None, suffix: str = "") -> None:
        self.decodes_added_tokens_alike = True
        self.added_tokens: dict[str, int] = {}
        self._tokenizer, self._extra, self._suffix = tokenizer, extra or [], suffix

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, special_tokens=True) + self._extra

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids) + self._suffix


@pytest.fixture(scope="module")
def tokenizer(mini_checkpoint: Path) -> BioGptTokenizer:
    symbols, merges = read_symbols(mini_checkpoint / "vocab.json"), read_merges(mini_checkpoint / "merges.txt")
    return BioGptTokenizer(symbols, merges, added_tokens=[AddedToken(8000, "<e1>")])


def test_equal_tokenizers_pass_with_their_added_tokens(tokenizer: BioGptTokenizer) -> None:
    found = compare_texts(tokenizer, Reference(tokenizer))
    assert [one.name for one in found] == ["encode", "decode", "encode, added tokens", "decode, added tokens"]
    assert {one.verdict for one in found} == {Verdict.PASS}
    assert found[0].num_texts == found[0].num_equal == len(TEXTS)


@pytest.mark.parametrize(("changes", "failing"), [({"extra": [7]}, "encode"), ({"suffix": "."}, "decode")])
def test_another_id_or_letter_fails_and_is_shown(
    tokenizer: BioGptTokenizer, changes: dict[str, Any], failing: str
) -> None:
    for one in compare_texts(tokenizer, Reference(tokenizer, **changes)):
        assert (one.verdict is Verdict.FAIL) == one.name.startswith(failing)
        if one.verdict is Verdict.FAIL:
            assert one.num_equal == 0
            assert one.first_difference is not None
            assert " instead of " in one.first_difference


def test_end_tokens_are_compared_as_a_set() -> None:
    assert compare_end_tokens([2, 17], [17, 2]).verdict is Verdict.PASS
    found = compare_end_tokens([2], [2, 17])
    assert (found.verdict, found.first_difference) == (Verdict.FAIL, "[2] instead of [2, 17]")


def exported(source: Path, bundle: Path, **options: Any) -> Path:
    export_bundle(open_checkpoint(source, **options), bundle)
    return bundle


def test_verify_notices_a_bundle_that_lost_an_added_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    architecture = tiny_architecture(vocab_size=312, soft_prompt_size=1)
    folder = write_huggingface(tmp_path / "checkpoint", architecture)
    lost = exported(folder, tmp_path / "lost")
    (folder / "added_tokens.json").write_text(json.dumps({"<e1>": 311}))
    whole = exported(folder, tmp_path / "whole")
    assert main(["verify", str(whole), "--against", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "reference: weights by transformers" in out
    assert "encode, added tokens" in out
    assert main(["verify", str(lost), "--against", str(folder)]) == 1
    assert "FAIL      encode, added tokens" in capsys.readouterr().out


def test_verify_notices_other_end_tokens_and_is_not_led_by_the_checkpoints_decoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_huggingface(tmp_path / "checkpoint", ARCHITECTURE, lively_tensors(ARCHITECTURE))
    before = exported(folder, tmp_path / "before")
    decoding = {"eos_token_id": [2, 17], "no_repeat_ngram_size": 1, "num_beams": 2}
    (folder / "generation_config.json").write_text(json.dumps(decoding))
    after = exported(folder, tmp_path / "after")
    assert main(["verify", str(after), "--against", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["texts"][-1]["name"] == "end tokens"
    assert main(["verify", str(before), "--against", str(folder)]) == 1
    assert "[2] instead of [2, 17]" in capsys.readouterr().out


@pytest.mark.parametrize("tied", [True, False])
def test_a_fairseq_file_is_compared_by_a_reading_of_its_own(tmp_path: Path, *, tied: bool) -> None:
    architecture = replace(ARCHITECTURE, tied_head=tied)
    tensors = random_tensors(architecture)
    args = argparse.Namespace(decoder_attention_heads="3", no_scale_embedding=True)
    folder = write_fairseq(tmp_path / "model", architecture, tensors, args=args)
    reference = open_reference(str(folder))
    assert reference.reading == "weights by a plain reading of the fairseq file"
    state = reference._model.state_dict()
    assert len(state) == len(tensors) + (HEAD not in tensors)
    for name, values in tensors.items():
        np.testing.assert_array_equal(state[name if name == HEAD else f"biogpt.{name}"].numpy(), values)
    config = reference._model.config
    assert (config.num_attention_heads, config.scale_embedding) == (3, False)
    assert main(["verify", str(exported(folder, tmp_path / "bundle")), "--against", str(folder)]) == 0


def test_a_reader_that_mixes_up_tensors_would_be_caught(tmp_path: Path) -> None:
    args = argparse.Namespace(decoder_attention_heads=3)
    folder = write_fairseq(tmp_path / "model", ARCHITECTURE, args=args)
    checkpoint = open_checkpoint(folder)
    first, second = "layers.0.self_attn.q_proj.weight", "layers.0.self_attn.k_proj.weight"
    swapped = dict(checkpoint.tensors) | {
        first: replace(checkpoint.tensors[second], name=first),
        second: replace(checkpoint.tensors[first], name=second),
    }
    export_bundle(replace(checkpoint, tensors=swapped), tmp_path / "bundle")
    assert main(["verify", str(tmp_path / "bundle"), "--against", str(folder)]) == 1


def test_a_form_that_transformers_does_not_open_is_said(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "base", ARCHITECTURE)
    adapter = write_adapter(tmp_path / "adapter", lora_matrices(ARCHITECTURE, ("layers.0.fc1",)))
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert "this package's reader" in open_reference(str(folder)).reading
    reading = open_reference(str(folder), adapter=adapter).reading
    assert "this package's reader" in reading or "peft" in reading


def test_an_adapter_that_peft_is_not_there_to_apply_is_read_here_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_huggingface(tmp_path / "base", ARCHITECTURE)
    adapter = write_adapter(tmp_path / "adapter", lora_matrices(ARCHITECTURE, ("layers.0.fc1",)))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find_spec(name, *rest)
    )
    reference = open_reference(str(folder), adapter=adapter)
    assert "this package's reader" in reference.reading
    merged = open_checkpoint(folder, adapter=adapter).tensors["layers.0.fc1.weight"].read()
    np.testing.assert_array_equal(reference._model.state_dict()["biogpt.layers.0.fc1.weight"].numpy(), merged)


@pytest.mark.parametrize("kept", ["embed_tokens.weight", HEAD])
def test_a_fairseq_file_with_one_of_two_tied_tables_has_both(tmp_path: Path, kept: str) -> None:
    torch = pytest.importorskip("torch")
    args = argparse.Namespace(decoder_attention_heads=3, share_decoder_input_output_embed=True)
    folder = write_fairseq(tmp_path / "model", ARCHITECTURE, args=args)
    content = torch.load(folder / "checkpoint.pt", weights_only=False)
    (dropped,) = {"embed_tokens.weight", HEAD} - {kept}
    del content["model"][to_fairseq(dropped)]
    torch.save(content, folder / "checkpoint.pt")
    state = open_reference(str(folder))._model.state_dict()
    for name in (f"biogpt.{EMBEDDING}", HEAD):
        np.testing.assert_array_equal(state[name].numpy(), random_tensors(ARCHITECTURE)[EMBEDDING])


@pytest.mark.parametrize("above", [False, True])
@pytest.mark.parametrize("named", ["folder", "file"])
def test_the_symbols_of_a_fairseq_file_are_not_those_that_this_package_read(
    tmp_path: Path, named: str, *, above: bool
) -> None:
    """A reader that mixes up symbols would agree with itself."""
    transformers = pytest.importorskip("transformers")
    args = argparse.Namespace(decoder_attention_heads=3)
    folder = write_fairseq(tmp_path / "data" / "model", ARCHITECTURE, args=args, list_soft_prompt=True)
    if above:
        for name in ("dict.txt", "bpecodes"):
            (folder / name).rename(folder.parent / name)
    source = folder if named == "folder" else folder / "checkpoint.pt"
    checkpoint = open_checkpoint(source)
    mixed_up = replace(checkpoint, symbols=(*checkpoint.symbols[:4], *checkpoint.symbols[:3:-1]))
    tokenizer = reference_module._tokenizer(transformers, source, mixed_up, {})
    assert [tokenizer.convert_tokens_to_ids(symbol) for symbol in checkpoint.symbols] == list(
        range(len(checkpoint.symbols))
    )
