"""A wheelhouse as `make wheelhouse` makes it: what is in it, and that it installs and answers without any network."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from biogpt_onnx.runtime.bundle import read_manifest
from deploy.offline.gather import EXTRAS, PYTHONS, SBOM, SETTINGS, SOURCE_ONLY, SUMS
from deploy.offline.pins import package_of, read_lock
from makers.deployment import DEPLOY, ROOT
from makers.network import asks_this_machine, network_calls, run_apart, traced
from makers.wheelhouses import Wheelhouse, sha256

pytestmark = pytest.mark.offline

PAGE = ROOT / "docs" / "offline.md"
INSTALLED, CARRIED = "/opt/biogpt-onnx", "/media/biogpt/wheelhouse"
"""Where the page installs to, and from where."""


@pytest.fixture(scope="session")
def wheelhouse() -> Wheelhouse:
    folder = os.environ.get("BIOGPT_WHEELHOUSE")
    if not folder:
        pytest.skip("BIOGPT_WHEELHOUSE does not name a folder that `make wheelhouse` has made")
    return Wheelhouse(Path(folder).resolve())


@pytest.fixture(scope="session")
def bill(wheelhouse: Wheelhouse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((wheelhouse.folder / SBOM).read_text(encoding="utf-8"))
    return found


def setting(wheelhouse: Wheelhouse, name: str) -> str:
    (found,) = re.findall(f"^{name}=(.*)$", (wheelhouse.folder / SETTINGS).read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def for_this_machine(wheelhouse: Wheelhouse) -> None:
    if setting(wheelhouse, "machine") != platform.machine():
        pytest.skip("the wheelhouse is for another processor")


def on_the_page(section: str) -> str:
    """The only block of shell in a section of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


def typed(section: str, wheelhouse: Wheelhouse, installed: Path) -> list[str]:
    """The words of a shell that does what the page says, from this wheelhouse and to this folder."""
    code = on_the_page(section)
    assert INSTALLED in code
    assert f"cd {CARRIED}\n" in code
    return ["sh", "-euc", code.replace(INSTALLED, str(installed)).replace(CARRIED, str(wheelhouse.folder))]


def test_every_file_is_in_the_list_of_hashes(wheelhouse: Wheelhouse) -> None:
    lines = (wheelhouse.folder / SUMS).read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    files = {path.relative_to(wheelhouse.folder) for path in wheelhouse.folder.rglob("*") if path.is_file()}
    assert set(listed) == {path.as_posix() for path in files} - {SUMS}
    assert [name for name in listed if sha256(wheelhouse.folder / name) != listed[name]] == []
    assert {"site/index.html", "bundle/bundle.json", "install.sh", "README.txt", SBOM} <= set(listed)
    assert read_manifest(wheelhouse.folder / "bundle").recipe


def test_wheels_are_those_of_the_committed_lock_files(wheelhouse: Wheelhouse) -> None:
    wheels = {sha256(path): package_of(path) for path in (wheelhouse.folder / "wheels").iterdir()}
    named = set()
    for extra in EXTRAS:
        committed = {(pin.name, pin.version): pin for pin in read_lock(DEPLOY / "offline" / "locks" / f"{extra}.txt")}
        for pin in read_lock(wheelhouse.folder / "locks" / f"{extra}.txt"):
            named |= set(pin.sha256)
            assert {wheels[digest] for digest in pin.sha256} == {(pin.name, pin.version)}
            if pin.name not in SOURCE_ONLY:
                assert set(pin.sha256) <= set(committed[pin.name, pin.version].sha256)
    assert {package for digest, package in wheels.items() if digest not in named} == {package_of_ours(wheelhouse)}
    assert [name for name, _ in wheels.values() if name.startswith(("torch", "nvidia"))] == []


def package_of_ours(wheelhouse: Wheelhouse) -> tuple[str, str]:
    (path,) = (wheelhouse.folder / "wheels").glob("biogpt_onnx-*.whl")
    return package_of(path)


def test_every_python_finds_all_that_its_extras_need(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    """Asks pip itself, which finds out by the wheels' own metadata what depends on what."""
    machine = setting(wheelhouse, "machine")
    for python in setting(wheelhouse, "pythons").split():
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--isolated", "install", "--dry-run", "--quiet", "--ignore-installed"),
                *("--no-index", "--find-links", wheelhouse.folder / "wheels", "--only-binary", ":all:"),
                *("--python-version", python, "--target", tmp_path / python),
                *(f"--platform=manylinux{tag}_{machine}" for tag in ("_2_28", "_2_27", "_2_26", "2014")),
                f"biogpt-onnx[{','.join(EXTRAS)}]",
            ],
            env=os.environ | {"PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr


def test_the_bill_names_every_wheel_with_its_hash_and_its_licence(wheelhouse: Wheelhouse, bill: dict[str, Any]) -> None:
    own = bill["metadata"]["component"]
    components = [own, *bill["components"]]
    referred = {
        (reference["url"], reference["hashes"][0]["content"])
        for component in components
        for reference in component["externalReferences"]
        if reference["type"] == "distribution" and reference["url"].startswith("wheels/")
    }
    files = (path for path in (wheelhouse.folder / "wheels").iterdir())
    assert referred == {(f"wheels/{path.name}", sha256(path)) for path in files}
    assert (own["name"], own["type"]) == ("biogpt-onnx", "application")
    licences = {str(canonicalize_name(each["name"])): json.dumps(each.get("licenses", [])) for each in components}
    assert [name for name, found in licences.items() if found == "[]"] == []
    assert "MIT" in licences["biogpt-onnx"]
    assert "MIT" in licences["onnxruntime"]
    needed = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert any("numpy" in reference for reference in needed[own["bom-ref"]])


def test_the_bill_follows_the_schema_of_cyclonedx(wheelhouse: Wheelhouse) -> None:
    schema = pytest.importorskip("cyclonedx.schema")
    validation = pytest.importorskip("cyclonedx.validation.json")
    text = (wheelhouse.folder / SBOM).read_text(encoding="utf-8")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.from_version(json.loads(text)["specVersion"]))
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"components"', '"komponents"', 1)) is not None


def test_our_wheel_holds_its_licence(wheelhouse: Wheelhouse) -> None:
    (path,) = (wheelhouse.folder / "wheels").glob("biogpt_onnx-*.whl")
    with zipfile.ZipFile(path) as archive:
        (licence,) = (name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert Parser().parsestr(archive.read(metadata).decode())["License-Expression"] == "MIT"


def test_what_the_page_says_installs_and_answers_without_any_network(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    for_this_machine(wheelhouse)
    record = tmp_path / "calls"
    ended = run_apart([*traced(record), *typed("Install", wheelhouse, tmp_path / "new")])
    assert ended.returncode == 0, ended.stderr
    assert "The patient was treated with" in ended.stdout
    assert "amiodarone" in ended.stdout
    assert [each for each in network_calls(record) if not asks_this_machine(*each)] == []
    # What `make demo` does before: the checkpoint becomes a bundle, and a smaller one.
    command = tmp_path / "new" / "bin" / "biogpt-onnx"
    export = f'"{command}" export checkpoints/mini -o "{tmp_path}/mini"'
    quantize = f'"{command}" quantize "{tmp_path}/mini" -o "{tmp_path}/int8" --recipe int8 --no-evaluation'
    ended = run_apart([*traced(record), "sh", "-euc", f"cd {ROOT} && {export} && {quantize}"])
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "int8" / "bundle.json").is_file()
    assert [each for each in network_calls(record) if not asks_this_machine(*each)] == []


def test_pip_alone_installs_it_as_the_page_says(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    for_this_machine(wheelhouse)
    ended = run_apart(typed("By pip alone", wheelhouse, tmp_path / "new"))
    assert ended.returncode == 0, ended.stderr
    assert "biogpt-onnx" in ended.stdout


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_that_it_is_for_installs_it(wheelhouse: Wheelhouse, tmp_path: Path, version: str) -> None:
    for_this_machine(wheelhouse)
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        pytest.skip("the lines of the page are tried with this one")
    if version not in setting(wheelhouse, "pythons").split():
        pytest.skip(f"the wheelhouse is not for Python {version}")
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"python{version} is not installed")
    script = wheelhouse.folder / "install.sh"
    ended = run_apart(["sh", script, "--python", python, tmp_path / "new", *EXTRAS])
    assert ended.returncode == 0, ended.stderr
    bundle = wheelhouse.folder / "bundle"
    ended = run_apart(
        [tmp_path / "new" / "bin" / "biogpt-onnx", "generate", bundle, "Aspirin", "--max-new-tokens", "4"]
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()


def test_a_wheel_that_lost_a_bit_is_refused_by_its_name(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    for_this_machine(wheelhouse)
    copy = Wheelhouse(tmp_path / "copy")
    shutil.copytree(wheelhouse.folder, copy.folder)
    wheel = next((copy.folder / "wheels").glob("onnxruntime-*.whl"))
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    ended = copy.install(tmp_path / "new")
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: wheels/{wheel.name} is not what SHA256SUMS says")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()
