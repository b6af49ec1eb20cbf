import tomllib
from pathlib import Path

import pytest

import biogpt_onnx

ROOT = Path(__file__).parents[1]
ROOMS = ("export", "quantize", "runtime")

pytestmark = pytest.mark.skipif(not (ROOT / "runtime").is_dir(), reason="runs in the checkout only")


def test_every_package_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    # The rooms' links in biogpt_onnx/ are other names of the same folders.
    own = [
        path for path in (ROOT / "biogpt_onnx").glob("**/__init__.py") if path.relative_to(ROOT).parts[1] not in ROOMS
    ]
    rooms = [path for room in ROOMS for path in (ROOT / room).glob("**/__init__.py")]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in own}
    found |= {".".join(("biogpt_onnx", *path.parent.relative_to(ROOT).parts)) for path in rooms}
    assert set(settings["packages"]) == found


def test_every_file_beside_the_modules_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]
    left_out = []
    for package in settings["packages"]:
        folder = ROOT.joinpath(*package.split("."))
        files = (path for path in folder.iterdir() if path.is_file() and path.suffix != ".py")
        left_out += [path for path in files if not any(path.match(pattern) for pattern in patterns.get(package, ()))]
    assert [str(path.relative_to(ROOT)) for path in left_out] == []


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for room in (*ROOMS, "biogpt_onnx") for path in (ROOT / room).glob("**/*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_checkout_runs_in_place(room: str) -> None:
    link = ROOT / "biogpt_onnx" / room
    if not link.exists():
        pytest.skip("a checkout without links")
    assert str(link.readlink()) == f"../{room}"


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{biogpt_onnx.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
