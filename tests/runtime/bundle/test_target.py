import json
import os
import shutil
from pathlib import Path

import pytest

from biogpt_onnx.runtime.bundle import CONFIG_FILE, MANIFEST_FILE, MODEL_FILE, read_manifest
from biogpt_onnx.runtime.bundle.target import absolute, check_target, refuse_inputs, refuse_inside
from biogpt_onnx.runtime.errors import BundleError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "here" / "source"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    return folder


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))


def test_the_source_itself_is_refused_however_it_is_spelled(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    (source.parent / "link").symlink_to(source)
    for output in (source, Path("source"), Path("../here/source"), source / ".." / "source"):
        for given in (source, Path("source"), Path("link"), Path("source/../link")):
            with pytest.raises(BundleError, match="is what is read"):
                refuse_inputs(output, [given])
    monkeypatch.chdir(source)
    with pytest.raises(BundleError, match="is what is read"):
        refuse_inputs(Path(), [source])


def test_a_folder_that_holds_the_source_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    for output in (source.parent, Path(".."), source.parent.parent):
        for given in (Path(), source / "file", Path("file")):
            with pytest.raises(BundleError, match="holds what is read"):
                refuse_inputs(output, [given])


def test_a_folder_with_files_that_the_source_links_to_is_refused(tmp_path: Path, source: Path) -> None:
    weights, between = tmp_path / "weights", tmp_path / "between"
    for folder in (weights, between):
        folder.mkdir()
    (weights / "data").write_text("x")
    (between / "data").symlink_to(weights / "data")
    (source / "data").symlink_to(Path("../../between/data"))
    for output in (weights, between):
        with pytest.raises(BundleError, match="holds what is read"):
            refuse_inputs(output, [source])


def test_a_link_to_the_source_inside_of_the_output_is_kept_too(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "link").symlink_to(source)
    with pytest.raises(BundleError, match="holds what is read"):
        refuse_inputs(output, [output / "link"])


def test_other_places_are_not_refused(tmp_path: Path, source: Path) -> None:
    (tmp_path / "out").mkdir()
    inputs = [source, source / "file", None, Path("organisation/name"), Path("preset:biogpt")]
    for output in (tmp_path / "out", tmp_path / "new", source / "inside", tmp_path / "here" / "source2"):
        refuse_inputs(output, inputs)


def test_a_file_in_a_bundle_is_refused_as_an_output(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    for output in (bundle / "plot.svg", tmp_path / "link" / "plot.svg"):
        with pytest.raises(BundleError, match="would lie in the bundle"):
            refuse_inside(output, [None, bundle])
    refuse_inside(tmp_path / "plot.svg", [bundle])


def test_a_bundle_is_replaced_only_on_request(bundle: Path) -> None:
    check_target(bundle, overwrite=True)
    with pytest.raises(BundleError, match="say --overwrite"):
        check_target(bundle, overwrite=False)


@pytest.mark.parametrize("name", ["notes.txt", "model.safetensors", "folder/file", ".git/config"])
def test_a_bundle_with_anything_else_in_its_folder_is_not_replaced(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("mine")
    with pytest.raises(BundleError, match=f"also holds {name.partition('/')[0]}.* not overwritten"):
        check_target(bundle, overwrite=True)


@pytest.mark.parametrize(
    "files",
    [
        {MODEL_FILE: "another model"},
        {MODEL_FILE: "another model", CONFIG_FILE: '{"model_type": "bert"}'},
        {MODEL_FILE: "another model", CONFIG_FILE: "[]"},
        {MANIFEST_FILE: "{}", MODEL_FILE: ""},
        {MANIFEST_FILE: json.dumps({"files": {MODEL_FILE: {}}}), MODEL_FILE: ""},
        {MANIFEST_FILE: "not JSON", CONFIG_FILE: "{}"},
        {CONFIG_FILE: '{"model_type": "biogpt"}', "vocab.json": "{}"},
    ],
)
def test_a_folder_that_only_resembles_an_export_is_not_replaced(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BundleError, match="holds no exported model"):
        check_target(tmp_path, overwrite=True)


def test_a_folder_with_the_name_of_a_bundles_file_is_not_a_file_of_the_bundle(bundle: Path) -> None:
    (bundle / "merges.txt").unlink()
    (bundle / "merges.txt").mkdir()
    with pytest.raises(BundleError, match=r"also holds merges\.txt"):
        check_target(bundle, overwrite=True)


def test_a_checkpoint_with_a_model_of_optimum_beside_it_is_not_replaced(mini_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mini_checkpoint, tmp_path / "checkpoint"))
    (folder / MODEL_FILE).write_text("")
    with pytest.raises(BundleError, match="also holds"):
        check_target(folder, overwrite=True)


def test_the_current_folder_is_not_replaced_as_a_whole(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    with pytest.raises(BundleError, match="is the current folder"):
        check_target(Path(), overwrite=True)


def test_a_link_as_the_target_says_what_to_name(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    with pytest.raises(BundleError, match=r"is a link: name the folder itself \(.*bundle\)"):
        check_target(tmp_path / "link", overwrite=True)


def test_a_name_that_is_not_utf8_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(BundleError, match="not UTF-8"):
        check_target(folder, overwrite=False)
    folder.mkdir()
    with pytest.raises(BundleError, match="not UTF-8"):
        read_manifest(folder)


def test_links_in_a_circle_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(BundleError, match="is a link"):
        check_target(tmp_path / "a", overwrite=True)
    refuse_inputs(tmp_path, [tmp_path.parent / "none", None])
    with pytest.raises(BundleError, match="holds what is read"):
        refuse_inputs(tmp_path, [tmp_path / "a"])


def test_a_path_without_a_name_gets_the_folders_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert absolute(Path()) == tmp_path.resolve() / "a"
    assert absolute(Path("..")) == tmp_path.resolve()
    assert absolute(Path("x")) == tmp_path.resolve() / "a" / "x"
    assert absolute(Path("../x")) == tmp_path.resolve() / "x"
