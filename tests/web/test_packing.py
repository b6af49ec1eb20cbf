"""Packing: what is packed, and what is said where nothing can be."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.runtime.bundle import FileRecord, read_manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.web import onnxruntime_web as source
from biogpt_onnx.web import pack_page
from makers.bundles import export_with_head
from makers.checkpoints import SEQUENCE
from makers.web import site_files

CONTENTS = {source.MODULE: b"export default 1;", source.BINARY: b"\0asm"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with other, small files, whose hashes are the expected ones."""
    records = {name: FileRecord(len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENTS.items()}
    monkeypatch.setattr(source, "FILES", records)
    monkeypatch.setattr("biogpt_onnx.web.description.FILES", records)
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    for name, data in CONTENTS.items():
        (folder / name).write_bytes(data)
    return tmp_path / "package"


def packed_file(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_folder_holds_the_page_the_bundle_and_onnx_runtime(
    mini_bundle: Path, package: Path, tmp_path: Path
) -> None:
    output = tmp_path / "site"
    manifest = pack_page(mini_bundle, output, package)
    expected = [path.name for path in site_files().iterdir()]
    expected += [f"bundle/{name}" for name in (*manifest.files, "bundle.json")]
    expected += [f"onnxruntime/{name}" for name in (*CONTENTS, "LICENSE", "ThirdPartyNotices.txt")]
    assert files_below(output) == sorted([*expected, "README.txt", "page.json"])
    assert read_manifest(output / "bundle") == manifest
    assert "MIT License" in (output / "onnxruntime" / "LICENSE").read_text(encoding="utf-8")
    for file in json.loads((output / "page.json").read_text(encoding="utf-8"))["files"]:
        data = (output / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_package_may_be_a_file_or_unpacked_anywhere(mini_bundle: Path, package: Path, tmp_path: Path) -> None:
    tarball = packed_file(tmp_path / source.TARBALL, {"other.js": b"1", **CONTENTS})
    for number, given in enumerate((package.parent, package, package / "dist", tarball)):
        pack_page(mini_bundle, tmp_path / f"site-{number}", given)
        assert (tmp_path / f"site-{number}" / "onnxruntime" / source.BINARY).read_bytes() == CONTENTS[source.BINARY]


def test_without_the_package_the_command_says_how_to_fetch_it(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", str(mini_bundle), "-o", str(tmp_path / "site")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"`npm pack onnxruntime-web@{source.VERSION}`" in error
    assert f"--onnxruntime-web onnxruntime-web-{source.VERSION}.tgz" in error
    assert list(tmp_path.iterdir()) == []


def altered(package: Path) -> Path:
    (package / "dist" / source.BINARY).write_bytes(b"\1asm")
    return package


def longer(package: Path) -> Path:
    (package / "dist" / source.BINARY).write_bytes(b"\0asm2")
    return package


def lacking(package: Path) -> Path:
    (package / "dist" / source.MODULE).unlink()
    return package


def altered_file(package: Path) -> Path:
    return packed_file(package / "altered.tgz", CONTENTS | {source.BINARY: b"\1asm"})


def lacking_file(package: Path) -> Path:
    return packed_file(package / "lacking.tgz", {source.BINARY: CONTENTS[source.BINARY]})


def no_archive(package: Path) -> Path:
    (package / "no.tgz").write_bytes(b"text")
    return package / "no.tgz"


def cut_archive(package: Path) -> Path:
    path = packed_file(package / "cut.tgz", CONTENTS)
    path.write_bytes(path.read_bytes()[:-30])
    return path


def nothing(package: Path) -> Path:
    return package / "nothing"


@pytest.mark.parametrize(
    "spoil", [altered, longer, lacking, altered_file, lacking_file, no_archive, cut_archive, nothing]
)
def test_another_package_is_refused_and_nothing_is_written(
    mini_bundle: Path, package: Path, tmp_path: Path, spoil: Callable[[Path], Path]
) -> None:
    given = spoil(package)
    with pytest.raises(ConfigError, match=f"npm pack onnxruntime-web@{source.VERSION}"):
        pack_page(mini_bundle, tmp_path / "site", given)
    assert not (tmp_path / "site").exists()


def test_a_file_that_is_damaged_anywhere_is_the_package_or_refused(package: Path) -> None:
    other = np.random.default_rng(0).bytes(20_000).hex().encode()
    path = packed_file(package / "damaged.tgz", {"other.js": other, **CONTENTS})
    whole = path.read_bytes()
    refused = 0
    positions = range(0, len(whole), len(whole) // 200)
    for position in positions:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            assert source.read_onnxruntime_web(path) == CONTENTS
        except ConfigError:
            refused += 1
    # Some fields of the headers, such as times and owners, do not matter.
    assert refused > 0.9 * len(positions)


def test_a_damaged_bundle_is_refused(mini_bundle: Path, package: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in mini_bundle.iterdir():
        (bundle / path.name).write_bytes(path.read_bytes())
    merges = (bundle / "merges.txt").read_bytes()
    (bundle / "merges.txt").write_bytes(merges.swapcase())
    with pytest.raises(BundleError, match=r"merges\.txt is altered"):
        pack_page(bundle, tmp_path / "site", package)
    assert not (tmp_path / "site").exists()


def test_a_folder_that_holds_something_is_left_alone(mini_bundle: Path, package: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    pack_page(mini_bundle, tmp_path / "site", package)
    before = files_below(tmp_path / "site")
    with pytest.raises(ConfigError, match="is not empty: name a folder"):
        pack_page(mini_bundle, tmp_path / "site", package)
    assert files_below(tmp_path / "site") == before


def test_a_classifier_is_refused(package: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    export_with_head(bundle, SEQUENCE)
    with pytest.raises(ConfigError, match=r"head, and the page writes texts"):
        pack_page(bundle, tmp_path / "site", package)
