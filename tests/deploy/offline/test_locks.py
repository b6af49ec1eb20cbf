"""The lock files that are committed: they pin what the extras of the package need, with hashes, and name no place."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.offline.gather import EXTRAS, PYTHONS
from deploy.offline.pins import Pin, narrowed, read_lock, write_lock
from makers.deployment import ROOT

LOCKS = ROOT / "deploy" / "offline" / "locks"
A, B = "a" * 64, "b" * 64


def requirements(extra: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"][extra]]


def test_every_extra_has_a_lock_file_and_no_other_has_one() -> None:
    assert {path.stem for path in LOCKS.iterdir()} == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_file_pins_what_the_extra_asks_for(extra: str) -> None:
    pins = read_lock(LOCKS / f"{extra}.txt")
    for python in PYTHONS:
        pinned = {pin.name: pin.version for pin in pins if pin.is_needed(python, "x86_64")}
        wrong = [
            f"{each} is {pinned.get(canonicalize_name(each.name))} for Python {python}"
            for each in requirements(extra)
            if not each.specifier.contains(pinned.get(canonicalize_name(each.name), "0"))
        ]
        assert wrong == [], "run make locks"


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_file_names_no_place_and_has_a_hash_for_every_package(extra: str) -> None:
    text = (LOCKS / f"{extra}.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links|/", text)
    assert all(
        re.fullmatch("[0-9a-f]{64}", digest) for pin in read_lock(LOCKS / f"{extra}.txt") for digest in pin.sha256
    )


def test_extras_can_be_installed_together() -> None:
    for python in PYTHONS:
        pinned: dict[str, set[Pin]] = {}
        for extra in EXTRAS:
            for pin in read_lock(LOCKS / f"{extra}.txt"):
                if pin.is_needed(python, "x86_64"):
                    pinned.setdefault(pin.name, set()).add(Pin(pin.name, pin.version, None, pin.sha256))
        assert {name: found for name, found in pinned.items() if len(found) > 1} == {}


def test_no_torch_is_locked() -> None:
    names = {pin.name for extra in EXTRAS for pin in read_lock(LOCKS / f"{extra}.txt")}
    assert {"numpy", "onnxruntime", "lxml", "uvicorn", "onnx"} <= names
    assert [name for name in names if name.startswith(("torch", "nvidia", "triton"))] == []


def test_a_lock_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    pins = [Pin("x", "1.0", Marker('python_version < "3.12"'), (A, B), "built"), Pin("y", "2", None, (B,))]
    write_lock(tmp_path / "lock.txt", pins)
    read = read_lock(tmp_path / "lock.txt")
    assert [(pin.name, pin.version, str(pin.marker), pin.sha256) for pin in read] == [
        ("x", "1.0", 'python_version < "3.12"', (A, B)),
        ("y", "2", "None", (B,)),
    ]
    assert [pin.is_needed("3.11", "x86_64") for pin in read] == [True, True]
    assert [pin.is_needed("3.12", "x86_64") for pin in read] == [False, True]


@pytest.mark.parametrize(
    "line", ["x==1.0", f"x>=1.0 --hash=sha256:{A}", f"x --hash=sha256:{A}", f"x==1.0 --hash=md5:{A}"]
)
def test_a_line_that_pins_nothing_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "lock.txt").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="make locks"):
        read_lock(tmp_path / "lock.txt")


def test_a_wheel_that_was_not_published_is_not_taken_over() -> None:
    pins = [Pin("x", "1.0", None, (A,))]
    assert [pin.sha256 for pin in narrowed(pins, {("x", "1.0"): {"x.whl": A}}, {})] == [(A,)]
    assert list(narrowed(pins, {}, {})) == []
    with pytest.raises(ValueError, match=r"x\.whl has another hash"):
        list(narrowed(pins, {("x", "1.0"): {"x.whl": B}}, {}))
    (built,) = narrowed(pins, {("x", "1.0"): {"x.whl": B}}, {"x": "built here"})
    assert (built.sha256, built.note) == ((B,), "built here")
