"""Gathering a wheelhouse, of small packages that lie in a folder."""

import json
from pathlib import Path

import pytest

from deploy.offline.gather import EXTRAS, SBOM, SUMS, main
from makers.wheelhouses import VERSION, sha256, write_wheel

SUBJECT = "biogpt-onnx"


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a gathering that finds two packages in a folder, and no network."""
    published = tmp_path / "published"
    published.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(published))
    wheels = {name: write_wheel(published, name, "1.0") for name in ("leaf", "twig")}
    for name in ("site", "bundle", "locks", "own"):
        (tmp_path / name).mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("{}", encoding="utf-8")
    for extra in EXTRAS:
        name = "twig" if extra == "server" else "leaf"
        # The second hash is that of a file for another system.
        pin = f"{name}==1.0 --hash=sha256:{sha256(wheels[name])} --hash=sha256:{'0' * 64}\n"
        windows = f"elsewhere==2.0 ; sys_platform == 'win32' --hash=sha256:{'1' * 64}\n"
        (tmp_path / "locks" / f"{extra}.txt").write_text(f"# by hand\n{pin}{windows}", encoding="utf-8")
    own = write_wheel(tmp_path / "own", "biogpt_onnx", VERSION, needs="leaf")
    given = {
        "--wheel": own,
        "--site": tmp_path / "site",
        "--bundle": tmp_path / "bundle",
        "--locks": tmp_path / "locks",
    }
    return [word for name, value in given.items() for word in (name, str(value))]


def test_it_takes_what_the_lock_files_name_and_says_what_it_took(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cyclonedx")
    folder = tmp_path / "wheelhouse"
    assert main([*words, "--output", str(folder)]) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"sha256 of its {SUMS}: {sha256(folder / SUMS)}")
    wheels = {path.name: sha256(path) for path in (folder / "wheels").iterdir()}
    assert set(wheels) == {f"{name}-py3-none-any.whl" for name in ("leaf-1.0", "twig-1.0", f"biogpt_onnx-{VERSION}")}
    assert (folder / "locks" / "cpu.txt").read_text(encoding="utf-8") == (
        f"leaf==1.0 \\\n    --hash=sha256:{wheels['leaf-1.0-py3-none-any.whl']}\n"
    )
    bill = json.loads((folder / SBOM).read_text(encoding="utf-8"))
    assert bill["metadata"]["component"]["name"] == SUBJECT
    assert [each["name"] for each in bill["components"]] == ["leaf", "twig"]


def test_the_same_is_gathered_again_to_the_last_byte_in_place_of_the_one_before(
    words: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("cyclonedx")
    folder = tmp_path / "wheelhouse"
    assert main([*words, "--output", str(folder)]) == 0
    first = (folder / SUMS).read_bytes()
    (folder / "left over").touch()
    assert main([*words, "--output", str(folder)]) == 0
    assert (folder / SUMS).read_bytes() == first
    assert not (folder / "left over").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: write_wheel(folder / "published", "leaf", "1.0", says="another"), "HASHES"),
        (lambda folder: (folder / "published" / "twig-1.0-py3-none-any.whl").unlink(), "twig==1.0"),
        (lambda folder: (folder / "site").rmdir(), "make wheelhouse"),
        (lambda folder: (folder / "wheelhouse").mkdir(), "no wheelhouse"),
        (lambda folder: (folder / "locks" / "cpu.txt").write_text("leaf\n", encoding="utf-8"), "make locks"),
    ],
)
def test_what_cannot_be_gathered_is_said_in_one_line_and_leaves_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: "object", said: str
) -> None:
    assert callable(spoil)
    spoil(tmp_path)
    before = set(tmp_path.iterdir())
    assert main([*words, "--output", str(tmp_path / "wheelhouse")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before
