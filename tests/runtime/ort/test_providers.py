import modulefinder
import os
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.bundle import WEIGHTS_FILE
from biogpt_onnx.runtime.errors import BundleError, ProviderError
from biogpt_onnx.runtime.ort import providers
from biogpt_onnx.runtime.ort.sessions import open_session


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[cpu\]"):
        providers.import_onnxruntime()


def test_programs_that_gather_an_applications_modules_find_onnxruntime() -> None:
    """PyInstaller and the like look for import statements in the bytecode, and do not run anything."""
    finder = modulefinder.ModuleFinder()
    code = compile(Path(providers.__file__).read_text(encoding="utf-8"), providers.__file__, "exec")
    functions = [each for each in code.co_consts if isinstance(each, CodeType)]
    found = {what[1] for each in functions for kind, what in finder.scan_opcodes(each) if kind == "absolute_import"}
    assert "onnxruntime" in found


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which packages seem to be installed, alone on the path with what such a path may name as well."""
    (tmp_path / "archive.zip").touch()
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "archive.zip"), str(tmp_path / "gone"), str(folder)])
    return folder


@pytest.mark.parametrize(
    ("other", "metadata"),
    [
        ("onnxruntime-gpu", "onnxruntime_gpu-1.30.0.dist-info"),
        ("onnxruntime-openvino", "onnxruntime_openvino-1.24.0.dist-info"),
        ("onnxruntime-directml", "onnxruntime_directml-1.24.0-py3.11.egg-info"),
        ("ort-nightly", "ort_nightly-1.33.0.dev1.dist-info"),
    ],
)
def test_every_build_beside_another_is_warned_of(site_packages: Path, other: str, metadata: str) -> None:
    for name in ("onnxruntime-1.32.0.dist-info", metadata, "onnxruntime", "onnxruntime_tools-1.0.dist-info"):
        (site_packages / name).mkdir()
    assert providers.installed_runtimes() == ["onnxruntime", other]
    with pytest.warns(
        RuntimeWarning, match=f"onnxruntime and {other} are both installed and overwrite.*uninstall both"
    ):
        providers.warn_of_two_runtimes()


@pytest.mark.filterwarnings("error")
def test_one_runtime_is_not_warned_of(site_packages: Path) -> None:
    (site_packages / "onnxruntime-1.32.0.dist-info").mkdir()
    providers.warn_of_two_runtimes()


def test_the_runtime_that_runs_these_tests_is_found() -> None:
    assert {name for name in providers.installed_runtimes() if name.startswith("onnxruntime")}


def runtime_of(version: str, error: str | None = None) -> Any:
    def open_graph(*_: object, **__: object) -> object:
        raise RuntimeError(error)

    return SimpleNamespace(__version__=version, InferenceSession=open_graph)


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("1.20.1", True), ("1.31.9", True), ("1.32.0", False), ("1.100.0", False), ("2.0", False), ("nightly", False)],
)
def test_a_version_before_the_oldest_is_warned_of(version: str, *, is_old: bool) -> None:
    assert providers.is_outdated(runtime_of(version)) == is_old
    with pytest.warns(RuntimeWarning, match=version) if is_old else nullcontext():
        providers.warn_of_outdated_runtime(runtime_of(version))


def test_a_graph_that_an_old_version_cannot_load_says_which_version_it_needs(mini_bundle: Path) -> None:
    old = runtime_of("1.20.1", "Node GroupQueryAttention has input size 11 not in range [min=7, max=9]")
    with pytest.raises(ProviderError, match=r"ONNX Runtime 1\.20\.1 is installed.*onnxruntime>=1\.32"):
        open_session(old, mini_bundle / "model.onnx", options=old, provider="CPUExecutionProvider", remedy="")


def test_a_provider_that_did_not_start_is_an_error_and_not_the_cpu_in_its_place(mini_bundle: Path) -> None:
    """The model would run all the same, many times slower, and with other kernels."""
    fell_back = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    runtime: Any = SimpleNamespace(__version__="1.32.0", InferenceSession=lambda *_, **__: fell_back)
    with pytest.raises(ProviderError, match="CUDAExecutionProvider was asked for"):
        open_session(runtime, mini_bundle / "model.onnx", options=runtime, provider="CUDAExecutionProvider", remedy="")


def test_weights_that_are_a_link_say_how_to_copy_the_bundle(mini_bundle: Path, tmp_path: Path) -> None:
    """ONNX Runtime's own message names neither the link nor a remedy."""
    weights = tmp_path / "disk" / WEIGHTS_FILE
    weights.parent.mkdir()
    bundle = Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))
    (bundle / WEIGHTS_FILE).rename(weights)
    (bundle / WEIGHTS_FILE).symlink_to(weights)
    refusing = runtime_of("1.32.0", "External data path escapes the model's folder")
    with pytest.raises(BundleError, match=f"is a link to {weights}.*cp -rL {bundle}"):
        open_session(refusing, bundle / "model.onnx", options=refusing, provider="CPUExecutionProvider", remedy="")


def test_the_project_asks_for_the_oldest_version_that_is_tested() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = ".".join(map(str, providers.OLDEST))
    assert project["optional-dependencies"]["cpu"] == [f"onnxruntime>={oldest}"]


def test_telemetry_is_off_before_the_library_is_loaded() -> None:
    program = (
        "import builtins, os\n"
        "real = builtins.__import__\n"
        "def spy(name, *rest):\n"
        "    if name.startswith('onnxruntime'):\n"
        "        assert os.environ.get('ORT_DISABLE_TELEMETRY') == '1', 'too late'\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = spy\n"
        "from biogpt_onnx.runtime.ort.providers import import_onnxruntime\n"
        "import_onnxruntime()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_nothing_is_kept_in_the_users_folders(tmp_path: Path, mini_bundle: Path) -> None:
    # Where telemetry is on, ONNX Runtime keeps a device id under the user's cache folder.
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = "import sys, biogpt_onnx; biogpt_onnx.load(sys.argv[1]).generate('Aspirin', max_new_tokens=2)"
    subprocess.run([sys.executable, "-c", program, str(mini_bundle)], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
