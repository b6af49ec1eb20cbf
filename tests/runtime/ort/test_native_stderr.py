"""What a user reads on standard error while ONNX Runtime is loaded: nothing about the processor, and all else."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from biogpt_onnx.runtime.errors import ProviderError
from biogpt_onnx.runtime.ort.native_stderr import without_lines_about_processor
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

NOISE = b"Error in cpuinfo: no list of processors\nonnxruntime cpuid_info warning: Unknown CPU vendor. Value: 0\n"

# Stands for the library of ONNX Runtime, which writes past Python when it is loaded.
LIBRARY = f"import os\nos.write(2, {NOISE!r})\nos.write(2, b'out of memory')\n"


def test_lines_about_the_processor_are_dropped_and_others_kept_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    with without_lines_about_processor():
        sys.stderr.write("from Python\n")
        sys.stderr.flush()
        os.write(2, NOISE + b"from the library\n" + NOISE + b"no end of line")
    os.write(2, b", and behind it\n")
    assert capfd.readouterr().err == "from Python\nfrom the library\nno end of line, and behind it\n"


def test_an_error_leaves_what_was_written(capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        with without_lines_about_processor():
            os.write(2, NOISE + b"cannot open shared object\n")
            raise ImportError

    with pytest.raises(ImportError):
        load()
    assert capfd.readouterr().err == "cannot open shared object\n"


def test_a_closed_standard_error_is_no_obstacle() -> None:
    program = (
        "import os\nfrom biogpt_onnx.runtime.ort.native_stderr import without_lines_about_processor\nos.close(2)\n"
        "with without_lines_about_processor():\n    print('loaded')\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert run.stdout == "loaded\n"


@pytest.mark.parametrize("machine", ["aarch64", "ARM64", "x86_64"])
def test_only_on_arm64_is_anything_held_back(
    machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "onnxruntime.py").write_text(LIBRARY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    # It lacks all that ONNX Runtime has.
    with pytest.raises(ProviderError):
        import_onnxruntime()
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    written = capfd.readouterr().err
    assert written == (
        "out of memory" if "arm" in machine.lower() or machine == "aarch64" else NOISE.decode() + "out of memory"
    )


def test_nothing_is_written_when_the_real_one_is_loaded() -> None:
    program = "from biogpt_onnx.runtime.ort.providers import import_onnxruntime; import_onnxruntime()"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("", "")
