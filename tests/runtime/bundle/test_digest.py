import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.bundle.digest import bundle_digest, check_digest_form
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from makers.bundles import write_manifest


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may alter."""
    return Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))


def flip_a_bit(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_the_digest_is_what_sha256sum_says_of_the_manifest_file(mini_bundle: Path) -> None:
    content = (mini_bundle / MANIFEST_FILE).read_bytes()
    assert bundle_digest(mini_bundle) == "sha256:" + hashlib.sha256(content).hexdigest()


def test_the_expected_bundle_loads_and_says_its_digest(mini_bundle: Path) -> None:
    digest = bundle_digest(mini_bundle)
    with biogpt_onnx.load(mini_bundle, expect=digest) as model:
        assert model.bundle_digest == digest
        assert model.generate("Aspirin", max_new_tokens=2).token_ids


def test_fields_of_another_version_belong_to_the_digest(bundle: Path) -> None:
    fields = json.loads((bundle / MANIFEST_FILE).read_text(encoding="utf-8"))
    write_manifest(bundle, fields | {"field_of_2031": 1})
    with biogpt_onnx.load(bundle) as model:
        assert model.bundle_digest == bundle_digest(bundle)


def test_another_bundle_is_refused_with_both_digests(mini_bundle: Path) -> None:
    other = "sha256:" + "0" * 64
    with pytest.raises(BundleError, match=f"another bundle than expected.*{bundle_digest(mini_bundle)}.*{other}"):
        biogpt_onnx.load(mini_bundle, expect=other)


@pytest.mark.parametrize("place", [5_000, -1])
@pytest.mark.parametrize("name", [WEIGHTS_FILE, MODEL_FILE, "vocab.json", "merges.txt", "config.json", "mixed.onnx"])
def test_a_bit_that_is_altered_anywhere_is_found_where_sizes_tell_nothing(bundle: Path, name: str, place: int) -> None:
    digest = bundle_digest(bundle)
    flip_a_bit(bundle / name, min(place, (bundle / name).stat().st_size - 1))
    with pytest.raises(BundleError, match=f"{name} is altered"):
        biogpt_onnx.load(bundle, expect=digest)


def test_hashes_that_are_forged_along_with_a_file_make_another_digest(bundle: Path) -> None:
    digest = bundle_digest(bundle)
    flip_a_bit(bundle / WEIGHTS_FILE, 5_000)
    manifest = read_manifest(bundle)
    forged = {
        name: dataclasses.replace(record, sha256=hashlib.sha256((bundle / name).read_bytes()).hexdigest())
        for name, record in manifest.files.items()
    }
    (bundle / MANIFEST_FILE).write_text(dataclasses.replace(manifest, files=forged).to_json(), encoding="utf-8")
    biogpt_onnx.load(bundle).close()
    with pytest.raises(BundleError, match="another bundle than expected"):
        biogpt_onnx.load(bundle, expect=digest)


def test_weights_that_no_hash_covers_are_not_expected_ones(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    files = {name: record for name, record in manifest.files.items() if name != WEIGHTS_FILE}
    (bundle / MANIFEST_FILE).write_text(dataclasses.replace(manifest, files=files).to_json(), encoding="utf-8")
    with pytest.raises(BundleError, match=f"{WEIGHTS_FILE} is not in {MANIFEST_FILE}"):
        biogpt_onnx.load(bundle, expect=bundle_digest(bundle))


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "0" * 64, f"sha256:{'A' * 64}", f"sha256:{'0' * 63}", "sha512:00", 7]
)
def test_what_is_no_digest_is_refused_before_anything_is_read(tmp_path: Path, digest: object) -> None:
    with pytest.raises(ConfigError, match="expect is"):
        biogpt_onnx.load(tmp_path / "missing", expect=digest)  # type: ignore[arg-type] # what a caller may give
    with pytest.raises(ConfigError, match="as `biogpt-onnx info` prints"):
        check_digest_form("digest", digest)
