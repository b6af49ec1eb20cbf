"""Bundles whose files are links: in the cache of the hub's client, or moved to another disk."""

import hashlib
import shutil
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.quantize.evaluate.evaluation import evaluate
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.bundle import MODEL_FILE, WEIGHTS_FILE, check_files, read_manifest, weights_outside
from biogpt_onnx.runtime.errors import BundleError

TEXTS = ["The patient was treated with cisplatin and developed acute renal failure."]


@pytest.fixture(scope="module")
def snapshot(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as the hub's client keeps it: a folder of relative links to files that are named by their digests."""
    cache = tmp_path_factory.mktemp("models--someone--mini")
    folder = cache / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for path in mini_bundle.iterdir():
        blob = cache / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copyfile(path, blob)
        (folder / path.name).symlink_to(Path("../../blobs") / blob.name)
    return folder


@pytest.fixture
def moved(mini_bundle: Path, tmp_path: Path) -> Path:
    """A bundle whose weights were moved to another folder, with a link in their place."""
    folder = Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))
    disk = tmp_path / "disk"
    disk.mkdir()
    (folder / WEIGHTS_FILE).rename(disk / "weights")
    (folder / WEIGHTS_FILE).symlink_to(disk / "weights")
    return folder


def test_a_bundle_in_the_hubs_cache_is_checked_and_quantized(snapshot: Path, mini_bundle: Path, tmp_path: Path) -> None:
    check_files(snapshot, read_manifest(snapshot), contents=True)
    for source, name in ((snapshot, "linked"), (mini_bundle, "plain")):
        quantize_bundle(source, tmp_path / name, RECIPES["int8"], texts=TEXTS)
    linked, plain = (tmp_path / name for name in ("linked", "plain"))
    assert not any(path.is_symlink() for path in linked.iterdir())
    assert (linked / WEIGHTS_FILE).read_bytes() == (plain / WEIGHTS_FILE).read_bytes()


def test_a_bundle_in_the_hubs_cache_loads_or_says_what_to_do(snapshot: Path, mini_bundle: Path) -> None:
    # Whether it loads depends on the version of ONNX Runtime.
    try:
        text = biogpt_onnx.load(snapshot).generate("Aspirin", max_new_tokens=3).text
    except BundleError as error:
        text = str(error)
    if "cp -rL" in text:
        return
    assert text == biogpt_onnx.load(mini_bundle).generate("Aspirin", max_new_tokens=3).text
    assert evaluate(snapshot, mini_bundle, TEXTS, threads=1, prompts=0).perplexity_increase.value == 0


@pytest.mark.parametrize("share_weights", [False, True])
def test_weights_that_were_moved_load_or_the_error_says_what_to_do(
    moved: Path, tmp_path: Path, *, share_weights: bool
) -> None:
    cache = tmp_path / "cache" if share_weights else None
    try:
        found = biogpt_onnx.load(moved, share_weights=share_weights, cache_folder=cache).generate("A", max_new_tokens=1)
        outcome = str(len(found.token_ids))
    except BundleError as error:
        outcome = str(error)
    assert outcome in {"1", weights_outside(moved)}
    assert "cp -rL" in str(weights_outside(moved))


def test_the_copy_that_the_error_asks_for_loads(moved: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(moved, tmp_path / "copy"))  # which follows links
    assert weights_outside(moved) is not None
    assert weights_outside(copy) is None
    assert biogpt_onnx.load(copy).generate("Aspirin", max_new_tokens=1).token_ids


def test_a_target_that_holds_the_files_of_a_linked_bundle_is_refused(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(snapshot)
    blobs = snapshot.parents[1] / "blobs"
    for target in (snapshot, blobs, blobs.parent, tmp_path / "link" / "."):
        command = ["quantize", str(tmp_path / "link"), "-o", str(target), "--recipe", "int8", "--overwrite"]
        assert main(command) == 2
        assert "what is read" in capsys.readouterr().err
    assert (snapshot / MODEL_FILE).is_file()


def test_a_link_that_leads_nowhere_is_a_missing_file(moved: Path) -> None:
    (moved.parent / "disk" / "weights").unlink()
    with pytest.raises(BundleError, match=f"{WEIGHTS_FILE} is missing"):
        biogpt_onnx.load(moved)
