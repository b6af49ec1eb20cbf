import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from biogpt_onnx.runtime.errors import ProviderError
from biogpt_onnx.runtime.ort import providers


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = importlib.import_module

    def import_module(name: str, package: str | None = None) -> object:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return real_import(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ProviderError, match=r"biogpt-onnx\[cpu\]"):
        providers.import_onnxruntime()


def test_two_runtimes_in_one_environment_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.0")
    with pytest.warns(RuntimeWarning, match="overwrite each other"):
        providers.warn_of_two_runtimes()


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
