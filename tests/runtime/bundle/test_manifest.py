import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx.runtime.bundle import (
    MANIFEST_FILE,
    MERGES_FILE,
    MODEL_FILE,
    RAGGED_MODEL_FILE,
    STEPS_FORMAT_VERSION,
    VOCAB_FILE,
    WEIGHTS_FILE,
    check_files,
    check_manifest,
    read_manifest,
    unlisted_files,
)
from biogpt_onnx.runtime.bundle.manifest_reading import MAX_MANIFEST_BYTES
from biogpt_onnx.runtime.errors import BundleError
from makers.bundles import record_file, write_manifest

HEAD = {"kind": "token-classification", "labels": ["O"], "pad_token_id": 1, "problem_type": "regression"}


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))


def edit_manifest(bundle: Path, **changes: Any) -> None:
    path = bundle / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_manifest(bundle: Path, **changes: Any) -> None:
    """Edits a manifest so that its digest fits."""
    write_manifest(bundle, json.loads((bundle / MANIFEST_FILE).read_text()) | changes)


def test_a_manifest_is_read_as_it_was_written(mini_bundle: Path) -> None:
    manifest = read_manifest(mini_bundle)
    assert manifest.to_json() == (mini_bundle / MANIFEST_FILE).read_text()
    assert manifest.precision == "fp32"
    assert manifest.architecture.soft_prompt_size == 9


def test_a_whole_bundle_passes_the_check_of_every_byte(mini_bundle: Path) -> None:
    check_files(mini_bundle, read_manifest(mini_bundle), contents=True)


def test_a_bundle_holds_real_files_and_nothing_that_the_manifest_does_not_list(mini_bundle: Path) -> None:
    assert not any(path.is_symlink() for path in mini_bundle.iterdir())
    listed = {*read_manifest(mini_bundle).files, MANIFEST_FILE}
    assert {path.name for path in mini_bundle.iterdir()} == listed


@pytest.mark.parametrize("name", [MODEL_FILE, WEIGHTS_FILE, VOCAB_FILE, MERGES_FILE])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        biogpt_onnx.load(bundle)


def test_all_damaged_files_are_named_at_once(bundle: Path) -> None:
    (bundle / VOCAB_FILE).unlink()
    with (bundle / WEIGHTS_FILE).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(BundleError, match=rf"{WEIGHTS_FILE} has 1,000 bytes.*{VOCAB_FILE} is missing"):
        biogpt_onnx.load(bundle)


def test_an_altered_byte_is_found_by_the_check(bundle: Path) -> None:
    with (bundle / WEIGHTS_FILE).open("r+b") as file:
        file.seek(5000)
        byte = file.read(1)
        file.seek(5000)
        file.write(bytes([byte[0] ^ 1]))
    check_files(bundle, read_manifest(bundle))
    with pytest.raises(BundleError, match=f"{WEIGHTS_FILE} is altered"):
        check_files(bundle, read_manifest(bundle), contents=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "int8"},
        {"evaluation": {"perplexity_increase": {"value": 0.0}}},
        {"source": "huggingface:other"},
        {"something_new": 1},
        {"manifest_sha256": ""},
        {"manifest_sha256": None},
    ],
)
def test_an_edited_manifest_is_noticed(bundle: Path, changes: dict[str, Any]) -> None:
    assert check_manifest(bundle)
    edit_manifest(bundle, **changes)
    read_manifest(bundle)
    with pytest.raises(BundleError, match=r"bundle\.json is altered"):
        check_manifest(bundle)
    with pytest.raises(BundleError, match=r"bundle\.json is altered .*: copy or make the bundle again"):
        biogpt_onnx.load(bundle)


def test_a_file_that_was_added_to_the_manifest_is_noticed(bundle: Path) -> None:
    files = json.loads((bundle / MANIFEST_FILE).read_text())["files"]
    edit_manifest(bundle, files=files | {"more.txt": files[VOCAB_FILE]})
    with pytest.raises(BundleError, match=r"bundle\.json is altered"):
        check_manifest(bundle)


def test_a_manifest_that_was_only_laid_out_anew_is_as_it_was(bundle: Path) -> None:
    path = bundle / MANIFEST_FILE
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert check_manifest(bundle)


def test_a_bundle_of_an_earlier_version_whose_manifest_has_no_digest_loads(bundle: Path) -> None:
    path = bundle / MANIFEST_FILE
    fields = json.loads(path.read_text())
    del fields["manifest_sha256"]
    path.write_text(json.dumps(fields))
    assert not check_manifest(bundle)
    assert biogpt_onnx.load(bundle).manifest == read_manifest(bundle)


def test_what_lies_beside_the_files_of_a_bundle_is_named(bundle: Path) -> None:
    assert unlisted_files(bundle, read_manifest(bundle)) == []
    (bundle / "notes.txt").write_text("x")
    assert unlisted_files(bundle, read_manifest(bundle)) == ["notes.txt"]


def test_a_bundle_of_a_later_version_says_what_to_upgrade(bundle: Path) -> None:
    change_manifest(bundle, format_version=STEPS_FORMAT_VERSION + 1, something_new=1)
    with pytest.raises(BundleError, match="upgrade"):
        biogpt_onnx.load(bundle)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {}},
        {"files": {"../secret": {"size": 1, "sha256": ""}}},
        {"files": []},
        {"format_version": "1"},
        {"architecture": {}},
        {"architecture": None},
        {"precision": 32},
        {"inputs": [{"name": "input_ids"}]},
        {"inputs": 3},
        {"source": None},
        {"tools": []},
        {"cache": 8},
        {"cache": {}},
        {"cache": {"type": "int4"}},
        {"cache": {"type": "int8"}},  # without a file of scales
        {"head": {}},
        {"head": 3},
        {"head": HEAD | {"kind": "question-answering"}},
        {"head": HEAD | {"problem_type": "ranking"}},
        {"head": HEAD | {"labels": "ab"}},
        {"head": HEAD | {"labels": []}},
        {"head": HEAD | {"labels": ["a", "a"]}},
        {"head": HEAD | {"pad_token_id": "1"}},
        {"layer_precisions": ["int4"]},
        {"layer_precisions": {"layers.0.fc1": "int2"}},
        {"layer_precisions": {"layers.0.fc1": ["int4"]}},
        {"end_token_ids": 2},
        {"end_token_ids": [-1]},
        {"end_token_ids": [True]},
        {"notes": "text"},
        {"notes": [1]},
        {"task": 1},
        {"steps": {"inputs": [], "outputs": []}},  # without its graph
    ],
)
def test_a_malformed_manifest_is_one_clear_error(bundle: Path, changes: dict[str, Any]) -> None:
    change_manifest(bundle, **changes)
    with pytest.raises(BundleError, match="malformed"):
        biogpt_onnx.load(bundle)


@pytest.mark.parametrize(
    "name", ["../x", "..\\x", "C:x", "C:\\x", "x:stream", "nul", "con.txt", "x.", "x ", "a\0b", ""]
)
def test_a_name_that_is_a_place_elsewhere_on_any_system_is_refused_on_all(bundle: Path, name: str) -> None:
    files = json.loads((bundle / MANIFEST_FILE).read_text())["files"]
    change_manifest(bundle, files=files | {name: {"size": 0, "sha256": ""}})
    with pytest.raises(BundleError, match=r"malformed .* is not a file name: it "):
        biogpt_onnx.load(bundle)


@pytest.mark.parametrize("size", ["num_layers", "num_heads", "vocab_size", "hidden_size"])
def test_an_architecture_without_extent_is_refused(bundle: Path, size: str) -> None:
    manifest = read_manifest(bundle)
    change_manifest(bundle, architecture=dataclasses.asdict(manifest.architecture) | {size: 0})
    with pytest.raises(BundleError, match="malformed"):
        read_manifest(bundle)


def test_an_architecture_without_room_for_a_token_behind_the_first_is_refused(bundle: Path) -> None:
    architecture = dataclasses.asdict(read_manifest(bundle).architecture)
    change_manifest(bundle, architecture=architecture | {"max_positions": 1})
    with pytest.raises(BundleError, match="max_positions is below 2"):
        read_manifest(bundle)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format_version": 1}'])
def test_a_manifest_that_is_something_else_is_one_clear_error(bundle: Path, content: bytes) -> None:
    (bundle / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="malformed"):
        read_manifest(bundle)


def test_a_manifest_that_is_larger_than_any_is_not_read(bundle: Path) -> None:
    """A file of gigabytes under this name would otherwise fill the memory before anything is checked."""
    with (bundle / MANIFEST_FILE).open("r+b") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(BundleError, match="larger than any manifest"):
        read_manifest(bundle)


def test_a_manifest_that_the_system_does_not_give_out_is_one_clear_error(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BundleError, match=r"bundle\.json cannot be read \(Permission denied\)"):
        read_manifest(bundle)


def test_a_folder_that_is_no_bundle_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        biogpt_onnx.load(tmp_path)
    with pytest.raises(BundleError, match="is not a folder"):
        biogpt_onnx.load(tmp_path / "none")


def test_a_manifest_that_disagrees_with_the_graph_is_found_before_anything_runs(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.ragged is not None  # which is what the runtime opens
    change_manifest(bundle, ragged=dataclasses.asdict(dataclasses.replace(manifest.ragged, inputs=manifest.inputs[1:])))
    with pytest.raises(BundleError, match="disagree on input_ids"):
        biogpt_onnx.load(bundle)


def test_a_cache_of_a_type_that_is_not_known_is_refused_before_anything_runs(bundle: Path) -> None:
    inputs = [dataclasses.asdict(spec) for spec in read_manifest(bundle).inputs]
    change_manifest(bundle, inputs=[spec | {"dtype": spec["dtype"].replace("float32", "float8")} for spec in inputs])
    with pytest.raises(BundleError, match="the cache has the type float8"):
        biogpt_onnx.load(bundle)


def test_a_manifest_that_disagrees_with_the_vocabulary_is_found(bundle: Path) -> None:
    architecture = dataclasses.asdict(read_manifest(bundle).architecture)
    change_manifest(bundle, architecture=architecture | {"soft_prompt_size": 3})
    with pytest.raises(BundleError, match="the vocabulary has"):
        biogpt_onnx.load(bundle)


def test_a_graph_that_is_no_graph_is_one_clear_error(bundle: Path) -> None:
    path = bundle / RAGGED_MODEL_FILE  # which is what the runtime opens
    path.write_bytes(b"x" * path.stat().st_size)
    record_file(bundle, path.name)
    with pytest.raises(BundleError, match="cannot be loaded"):
        biogpt_onnx.load(bundle)


@pytest.mark.parametrize("name", ["merges.txt", "vocab.json", "config.json", MODEL_FILE, RAGGED_MODEL_FILE])
def test_a_byte_that_is_another_is_found_before_anything_is_answered(bundle: Path, name: str) -> None:
    path = bundle / name
    whole = path.read_bytes()
    place = len(whole) // 2
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(BundleError, match=rf"{name} is altered .* copy or export the bundle again"):
        biogpt_onnx.load(bundle)
