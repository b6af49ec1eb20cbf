import dataclasses
import shutil
from pathlib import Path

import pytest

from biogpt_onnx.runtime.bundle import CONFIG_FILE, MANIFEST_FILE, MODEL_FILE, check_manifest, read_manifest
from biogpt_onnx.runtime.bundle.writer import atomic_folder, record_evaluation
from biogpt_onnx.runtime.errors import BundleError


def write_exported_model(target: Path, model: str) -> None:
    """Makes a folder that is recognised as an export, in optimum's layout."""
    target.mkdir()
    (target / MODEL_FILE).write_text(model)
    (target / CONFIG_FILE).write_text('{"model_type": "biogpt"}')


def test_the_folder_appears_with_all_it_holds(tmp_path: Path) -> None:
    target = tmp_path / "new" / "bundle"
    with atomic_folder(target) as folder:
        (folder / "file").write_text("x")
        assert not target.exists()
    assert (target / "file").read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_nothing_is_left_of_work_that_was_broken_off(tmp_path: Path, error: BaseException) -> None:
    def write() -> None:
        with atomic_folder(tmp_path / "bundle") as folder:
            (folder / "file").write_text("x")
            raise error

    with pytest.raises(type(error)):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_clear_error_and_the_old_bundle_stays(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    write_exported_model(target, "old")
    with pytest.raises(BundleError, match="No space left"), atomic_folder(target, overwrite=True):
        raise OSError(28, "No space left on device")
    assert (target / MODEL_FILE).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_old_bundle_is_replaced_only_where_that_was_said(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    write_exported_model(target, "old")
    with pytest.raises(BundleError, match="--overwrite"), atomic_folder(target):
        pass
    with atomic_folder(target, overwrite=True) as folder:
        (folder / MODEL_FILE).write_text("new")
    assert (target / MODEL_FILE).read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_with_other_things_in_it_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "documents"
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not overwritten"), atomic_folder(target, overwrite=True):
        pass
    assert (target / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_may_be_the_target(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    target.mkdir()
    with atomic_folder(target) as folder:
        (folder / "file").write_text("x")
    assert (target / "file").exists()


def test_an_empty_folder_is_filled_and_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    with atomic_folder(Path()) as folder:
        (folder / MODEL_FILE).write_text("x")
        (folder / MANIFEST_FILE).write_text("{}")
    # A shell in this folder, or a mount, would lose a folder that is replaced.
    assert tmp_path.stat().st_ino == before
    assert sorted(path.name for path in Path().iterdir()) == [MANIFEST_FILE, MODEL_FILE]


def test_a_folder_that_cannot_be_filled_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fails_at_the_manifest(path: Path, target: Path) -> Path:
        if path.name == MANIFEST_FILE:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    def write() -> None:
        with atomic_folder(tmp_path) as folder:
            (folder / MODEL_FILE).write_text("x")
            (folder / MANIFEST_FILE).write_text("{}")

    monkeypatch.setattr(Path, "rename", fails_at_the_manifest)
    with pytest.raises(BundleError, match="No space left"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_old_bundle_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    write_exported_model(target, "old")
    rename = Path.rename

    def fails_for_the_new_one(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(BundleError, match="Input/output error"), atomic_folder(target, overwrite=True):
        pass
    assert (target / MODEL_FILE).read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_what_is_put_into_the_folder_during_the_work_is_not_lost(tmp_path: Path) -> None:
    target = tmp_path / "bundle"
    write_exported_model(target, "old")
    with pytest.raises(BundleError, match=r"also holds notes\.txt"), atomic_folder(target, overwrite=True):
        (target / "notes.txt").write_text("mine")
    assert (target / "notes.txt").read_text() == "mine"


def test_parents_that_were_made_for_nothing_are_removed(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_folder(tmp_path / "a" / "b" / "bundle"):
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="not a folder"), atomic_folder(tmp_path / "file"):
        pass
    with pytest.raises(BundleError, match="cannot be written"), atomic_folder(tmp_path / "file" / "bundle"):
        pass


def test_an_evaluation_is_put_on_record_and_nothing_else_changes(mini_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(mini_bundle, bundle)
    before = read_manifest(bundle)
    record_evaluation(bundle, before, {"perplexity_increase": 0.001})
    after = read_manifest(bundle)
    assert after.evaluation == {"perplexity_increase": 0.001}
    assert dataclasses.replace(after, evaluation=None) == before
    assert check_manifest(bundle)
    assert {path.name for path in bundle.iterdir()} == {path.name for path in mini_bundle.iterdir()}


def test_a_manifest_that_cannot_be_written_stays_as_it_was(mini_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(mini_bundle, bundle)
    (bundle / f".{MANIFEST_FILE}").mkdir()
    with pytest.raises(BundleError, match="the bundle is whole"):
        record_evaluation(bundle, read_manifest(bundle), {})
    assert read_manifest(bundle).evaluation is None
