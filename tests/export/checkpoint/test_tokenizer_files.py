"""Added tokens in the files that transformers has written, from folder to bundle."""

import json
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import tiny_architecture, write_huggingface

SIZE = 311
MARKS = {"<e1>": SIZE, "</e1>": SIZE + 1}


def write(folder: Path, num_rows: int = 2, **files: object) -> Path:
    """A checkpoint whose embedding has rows beyond its vocabulary; keyword arguments are files without `.json`."""
    write_huggingface(folder, tiny_architecture(vocab_size=SIZE + num_rows, soft_prompt_size=num_rows))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def decoder(**flags: Any) -> dict[str, Any]:
    return {"added_tokens_decoder": {str(number): {"content": text} | flags for text, number in MARKS.items()}}


def transformers_tokenizer(folder: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.BioGptTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize(
    "files",
    [
        {"added_tokens": MARKS},
        {"tokenizer_config": decoder()},
        {"tokenizer_config": decoder(lstrip=True, special=True) | {"additional_special_tokens": list(MARKS)}},
        {"tokenizer_config": {"additional_special_tokens": list(MARKS)}},
        {"tokenizer_config": {"pad_token": "<e1>", "mask_token": {"__type": "AddedToken", "content": "</e1>"}}},
        {"special_tokens_map": {"additional_special_tokens": list(MARKS)}, "added_tokens": MARKS},
        {"special_tokens_map": {"pad_token": {"content": "<e1>", "lstrip": False}}, "added_tokens": MARKS},
    ],
)
def test_rows_with_a_name_are_tokens_as_in_transformers(tmp_path: Path, files: dict[str, Any]) -> None:
    folder = write(tmp_path / "checkpoint", **files)
    checkpoint = open_checkpoint(folder)
    assert checkpoint.architecture.soft_prompt_size == 0
    assert checkpoint.notes == ()
    export_bundle(checkpoint, tmp_path / "bundle")
    tokenizer = biogpt_onnx.load(tmp_path / "bundle").tokenizer
    # Before version 5, transformers set added tokens off by spaces when decoding.
    is_older = int(pytest.importorskip("transformers").__version__.partition(".")[0]) < 5
    # The bundle's files give transformers the tokenizer that the checkpoint's gave it.
    for theirs in (transformers_tokenizer(folder), transformers_tokenizer(tmp_path / "bundle")):
        for text in ("the <e1>drug</e1> .", "<e1> and </e1><e1>", "of </e1>"):
            ids = theirs(text)["input_ids"]
            assert tokenizer.encode(text, special_tokens=True) == ids
            if not is_older:
                assert tokenizer.decode(ids) == theirs.decode(ids, skip_special_tokens=True)


def test_a_quantized_bundle_keeps_the_tokens(tmp_path: Path) -> None:
    from biogpt_onnx.quantize.quantizer import quantize_bundle  # noqa: PLC0415 -- for this test alone
    from biogpt_onnx.quantize.recipes import RECIPES  # noqa: PLC0415 -- for this test alone

    export_bundle(open_checkpoint(write(tmp_path / "checkpoint", added_tokens=MARKS)), tmp_path / "bundle")
    quantize_bundle(tmp_path / "bundle", tmp_path / "small", RECIPES["int8-dynamic"])
    assert biogpt_onnx.load(tmp_path / "small").tokenizer.encode("<e1>") == [2, SIZE]


def test_only_rows_without_a_name_are_a_soft_prompt_and_that_is_said(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path, num_rows=5, added_tokens=MARKS))
    assert checkpoint.architecture.soft_prompt_size == 3
    assert checkpoint.notes == ("3 rows of the embedding have no name: they are taken for a soft prompt",)


def test_one_row_with_a_name_is_no_fine_tune(tmp_path: Path) -> None:
    manifest = export_bundle(
        open_checkpoint(write(tmp_path / "checkpoint", num_rows=1, tokenizer_config={"pad_token": "[PAD]"})),
        tmp_path / "bundle",
    )
    assert manifest.task is None
    assert manifest.architecture.soft_prompt_size == 0


def test_names_of_a_soft_prompts_rows_are_no_tokens_of_a_text(tmp_path: Path) -> None:
    names = {f"learned{number}": SIZE - 1 + number for number in range(1, 10)}
    checkpoint = open_checkpoint(write(tmp_path, num_rows=9, added_tokens=names))
    assert checkpoint.architecture.soft_prompt_size == 9
    assert checkpoint.added.tokens == ()


def test_a_token_without_a_row_is_left_out_and_said(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path, num_rows=0, tokenizer_config={"pad_token": "[PAD]"}))
    assert checkpoint.added.tokens == ()
    assert checkpoint.notes == ("the embedding has no row for 1 added tokens ([PAD], 311): they are left out",)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"added_tokens": {"<e1>": SIZE + 1}}, "has id 312, but 311 has no name"),
        ({"added_tokens": {"<e1>": "311"}}, "the id of '<e1>' is '311', no whole number"),
        ({"added_tokens": {"<e1>": 5}}, "has id 5, which is"),
        ({"tokenizer_config": {"added_tokens_decoder": {"2": {"content": "<end>"}}}}, "has id 2, which is '</s>'"),
    ],
)
def test_names_that_fit_no_row_are_refused(tmp_path: Path, files: dict[str, Any], part: str) -> None:
    with pytest.raises(CheckpointError, match=part):
        open_checkpoint(write(tmp_path, **files))


def test_export_says_and_info_shows_what_was_made_of_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoding = {"num_beams": 3, "max_new_tokens": 7, "eos_token_id": [2, 17], "temperature": 0.5}
    folder = write(tmp_path / "checkpoint", generation_config=decoding)
    bundle = tmp_path / "bundle"
    assert main(["export", str(folder), "-o", str(bundle)]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    for part in ("2 rows of the embedding", "temperature 0.5 has no effect", "token 2 or 17", "max_new_tokens 7"):
        assert any(part in note for note in notes), part
    manifest = read_manifest(bundle)
    assert manifest.end_token_ids == (2, 17)
    assert manifest.generation == {"num_beams": 3, "max_new_tokens": 7}
    assert main(["info", str(bundle)]) == 0
    out = capsys.readouterr().out
    for part in ("token 2 or 17", "max_new_tokens 7", "2 rows of the embedding"):
        assert part in out


def test_generate_decodes_as_the_authors_chose_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoding = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 4, "eos_token_id": 2}
    bundle = tmp_path / "bundle"
    export_bundle(open_checkpoint(write(tmp_path / "checkpoint", generation_config=decoding)), bundle)

    def answer(*options: str) -> dict[str, Any]:
        assert main(["generate", str(bundle), "the cells", "--json", *options]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    assert len(answer()["sequences"]) == 2
    assert len(answer()["token_ids"]) <= 4
    assert len(answer("--num-beams", "1", "--max-new-tokens", "2")["token_ids"]) <= 2
    plain = answer("--ignore-generation-config", "--max-new-tokens", "9")
    assert len(plain["sequences"]) == 1


def test_export_can_leave_the_decoding_out_and_keeps_the_end_tokens(tmp_path: Path) -> None:
    folder = write(tmp_path / "checkpoint", generation_config={"top_h": 0.5, "num_beams": 3, "eos_token_id": 17})
    with pytest.raises(CheckpointError, match=r"top_h is 0\.5.*--ignore-generation-config"):
        open_checkpoint(folder)
    checkpoint = open_checkpoint(folder, ignore_generation_config=True)
    assert checkpoint.generation.settings == {}
    assert checkpoint.generation.end_token_ids == (17,)
    assert "generation_config.json: left out, as you asked: top_h, num_beams" in checkpoint.notes


@pytest.mark.parametrize(
    ("config", "decoding", "expected"),
    [
        (17, None, (17,)),
        ([17, 2], None, (17, 2)),
        (17, {"eos_token_id": 4}, (4,)),
        (17, {"num_beams": 2}, (17,)),
        (None, None, ()),
    ],
)
def test_end_tokens_are_the_checkpoints(
    tmp_path: Path, config: object, decoding: dict[str, Any] | None, expected: tuple[int, ...]
) -> None:
    files: dict[str, Any] = {} if decoding is None else {"generation_config": decoding}
    folder = write(tmp_path, **files)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": config}))
    assert open_checkpoint(folder).generation.end_token_ids == expected


@pytest.mark.parametrize("value", [-1, "2", 2.0, [2, None], 99_999, True])
def test_end_tokens_that_are_none_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(CheckpointError, match=r"generation_config\.json: eos_token_id"):
        open_checkpoint(write(tmp_path, generation_config={"eos_token_id": value}))


def test_sampling_is_as_in_transformers_which_cuts_to_50_tokens(tmp_path: Path) -> None:
    settings = open_checkpoint(write(tmp_path, generation_config={"do_sample": True, "top_p": 0.9})).generation.settings
    assert settings == {"do_sample": True, "top_p": 0.9, "top_k": 50}


def test_lengths_that_count_the_prompt_are_the_default_unless_others_are_given(tmp_path: Path) -> None:
    lengths = {"max_length": 90, "min_length": 9}
    folder = write(tmp_path / "one", generation_config=lengths)
    assert open_checkpoint(folder).generation.settings == lengths
    counts = {"max_new_tokens": 30, "min_new_tokens": 3}
    checkpoint = open_checkpoint(write(tmp_path / "other", generation_config=lengths | counts))
    assert checkpoint.generation.settings == counts
    assert "generation_config.json: max_length 90 has no effect: max_new_tokens has" in checkpoint.notes


def test_decoding_in_an_older_config_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path)
    path = folder / "config.json"
    old = {"num_beams": 4, "do_sample": False, "max_length": 20, "top_k": 50, "temperature": 1.0, "bad_words_ids": None}
    path.write_text(json.dumps(json.loads(path.read_text()) | old))
    assert open_checkpoint(folder).generation.settings == {"num_beams": 4}
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}')
    checkpoint = open_checkpoint(folder)
    assert checkpoint.generation.settings == {}
    assert "config.json: num_beams is not read: generation_config.json is" in checkpoint.notes


def test_tokens_behind_a_soft_prompt_that_has_names_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, num_rows=3, added_tokens={"<e1>": SIZE + 2})
    vocabulary = folder / "vocab.json"
    names = json.loads(vocabulary.read_text())
    vocabulary.write_text(json.dumps(names | {"learned1": SIZE, "learned2": SIZE + 1}))
    with pytest.raises(CheckpointError, match="tokens were added behind a soft prompt, which is not supported"):
        open_checkpoint(folder)
