"""What a checkpoint folder holds: read, harmless, said or refused, and nothing dropped without a word."""

import json
from pathlib import Path

import pytest

from biogpt_onnx.export.checkpoint import contents
from biogpt_onnx.export.checkpoint.contents import Meaning, find
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.other_names import OF_TRANSFORMERS
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import tiny_architecture, write_huggingface

TABLES = (
    contents.FILES,
    contents.CONFIG_FIELDS,
    contents.GENERATION_FIELDS,
    contents.TOKENIZER_FIELDS,
    contents.ADAPTER_FIELDS,
)
PAGE = Path(__file__).parents[3] / "docs" / "checkpoints.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "model", tiny_architecture())


def add_json(path: Path, **fields: object) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | fields))


def error_of(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("config.json", "auto_map", {"AutoModel": "code.Model"}),
        ("config.json", "is_encoder_decoder", True),
        ("config.json", "add_cross_attention", True),
        ("config.json", "pruned_heads", {"0": [1]}),
        ("config.json", "position_embedding_type", "relative_key"),
        ("config.json", "rope_scaling", {"type": "linear"}),
        ("config.json", "prefix", "Question: "),
        ("config.json", "tokenizer_class", "GPT2Tokenizer"),
        ("config.json", "diversity_penalty", 0.5),
        ("generation_config.json", "encoder_repetition_penalty", 1.5),
        ("generation_config.json", "num_beam_groups", 2),
        ("generation_config.json", "penalty_alpha", 0.6),
        ("generation_config.json", "guidance_scale", 1.5),
        ("generation_config.json", "renormalize_logits", True),
        ("generation_config.json", "num_beams", 0),
        ("generation_config.json", "suppress_tokens", [99_999]),
        ("tokenizer_config.json", "tokenizer_class", "GPT2Tokenizer"),
        ("tokenizer_config.json", "sep_token", "[SEP]"),
        ("tokenizer_config.json", "unk_token", "[UNK]"),
        ("tokenizer_config.json", "do_lower_case", True),
        ("tokenizer_config.json", "split_special_tokens", True),
    ],
)
def test_what_changes_the_answers_and_is_not_supported_is_refused_by_name(
    folder: Path, file: str, field: str, value: object
) -> None:
    add_json(folder / file, **{field: value})
    message = error_of(folder)
    assert file in message
    assert field in message
    add_json(folder / file, **{field: None})
    open_checkpoint(folder)


@pytest.mark.parametrize("kind", ["BioGptForQuestionAnswering", "MyBioGpt", "GPT2LMHeadModel"])
def test_another_class_is_one_line_that_names_it(folder: Path, kind: str) -> None:
    add_json(folder / "config.json", architectures=[kind])
    (folder / "model.safetensors").unlink()
    assert error_of(folder).endswith(
        f"config.json is of the class {kind}, which is not exported: only BioGptForCausalLM, BioGptModel, "
        "BioGptForSequenceClassification, BioGptForTokenClassification are"
    )


def test_weights_that_are_said_to_be_quantized_are_one_line(folder: Path) -> None:
    add_json(folder / "config.json", quantization_config={"quant_method": "gptq"})
    (folder / "model.safetensors").write_bytes(b"")
    message = error_of(folder)
    assert "quantized by gptq (quantization_config): export the original checkpoint" in message
    assert "empty" not in message


def test_what_transformers_writes_needs_no_word(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    made = transformers.BioGptConfig(**json.loads((folder / "config.json").read_text()))
    made.save_pretrained(folder)
    transformers.GenerationConfig(eos_token_id=2, pad_token_id=1, bos_token_id=0).save_pretrained(folder)
    transformers.BioGptTokenizer.from_pretrained(str(folder)).save_pretrained(str(folder))
    for name in ("README.md", "LICENSE", "optimizer.pt", "trainer_state.json", "training_args.bin", ".gitattributes"):
        (folder / name).write_text("x")
    checkpoint = open_checkpoint(folder)
    assert checkpoint.notes == ()
    assert checkpoint.generation.settings == {}


def test_what_is_not_known_is_said(folder: Path) -> None:
    add_json(folder / "config.json", my_own_scale=3, also_mine=None)
    add_json(folder / "generation_config.json", magic=True)
    add_json(folder / "tokenizer_config.json", clean_up_tokenization_spaces=True, chat_template="{{ x }}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "notes.docx").write_text("x")
    name = "clean_up_tokenization_spaces"
    entry = find(contents.TOKENIZER_FIELDS, name)
    assert entry is not None
    assert set(open_checkpoint(folder).notes) == {
        "config.json: not known, so not read: my_own_scale",
        "generation_config.json: not known, so not read: magic",
        f"tokenizer_config.json: {name} is True: {entry.what}",
        "tokenizer_config.json: chat_template is '{{ x }}': it is not applied: write prompts as it would",
        "tokenizer.json is not read: another form of the vocabulary, which transformers' BioGptTokenizer does not read",
        "not read: notes.docx",
    }


def test_names_in_notes_cannot_write_to_the_terminal(folder: Path) -> None:
    add_json(folder / "config.json", **{"\x1b[2J": 1})
    assert not any("\x1b" in note for note in open_checkpoint(folder).notes)


def test_weights_beside_those_that_are_read_are_said(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    assert open_checkpoint(folder).notes == ("pytorch_model.bin is not read: model.safetensors is, as by transformers",)


def test_every_setting_of_transformers_is_known() -> None:
    transformers = pytest.importorskip("transformers")
    # Before version 5, a config held the settings of generation, too.
    for table, fields in (
        (contents.GENERATION_FIELDS, transformers.GenerationConfig().to_dict()),
        (contents.CONFIG_FIELDS + contents.GENERATION_FIELDS, transformers.BioGptConfig().to_dict()),
    ):
        assert [name for name in fields if find(table, name) is None] == []


def test_a_checkpoint_and_a_call_may_hold_the_same_settings() -> None:
    for other in OF_TRANSFORMERS:
        for name in other.names:
            entry = find(contents.GENERATION_FIELDS, name)
            # A checkpoint asks for no results and holds no second model.
            if entry is None or name.startswith("output_") or name == "assistant_model":
                continue
            assert entry.meaning is (Meaning.HARMLESS if other.is_ignored else Meaning.REFUSED), name
            assert [value for value in other.neutral if value != () and not entry.is_neutral(value)] == [], name


def test_what_is_read_of_generation_is_a_setting_of_ours() -> None:
    read = [name for entry in contents.GENERATION_FIELDS if entry.meaning is Meaning.READ for name in entry.names]
    assert set(read) <= set(GenerationConfig.__dataclass_fields__)


def test_nothing_is_listed_twice() -> None:
    for table in TABLES:
        names = [name for entry in table for name in entry.names]
        assert len(names) == len(set(names))


@pytest.mark.skipif(not PAGE.exists(), reason="runs in the checkout only")
def test_the_page_lists_what_is_read() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for table in TABLES:
        for entry in table:
            names = ", ".join(f"`{name}`" for name in entry.names)
            values = ", ".join(f"`{json.dumps(value)}`" for value in entry.neutral)
            assert f"| {names} | {entry.meaning} | {entry.what} | {values} |" in lines
