"""The embedded checkpoint on emulated ARM64 processors beside this machine: the same files, and the same answers.

`make test-arm64-core` asks for all of it, which takes long in an emulator. `make test-arm64-short` asks for float32 and
`int8`, answered by one processor, and for the sharing of passes with `int8` alone, which makes the last bits of float32
visible.
"""

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.batch_invariance import is_batch_invariant
from makers.arm64 import answers as answering
from makers.arm64.answers import FILE, FLOAT32
from makers.arm64.emulator import PROCESSORS as ALL_PROCESSORS
from makers.arm64.emulator import Emulator, emulator
from makers.arm64.errors import UnavailableError

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "checkpoints" / "mini"
ASKED = os.environ.get("BIOGPT_ARM64")
BUNDLES = (FLOAT32, "int8") if ASKED == "short" else answering.ALL
ANSWERING = [name for name in answering.ANSWERING if name in BUNDLES]
SHARING = ("int8",) if ASKED == "short" else answering.SHARING
WRITING = ALL_PROCESSORS[0]
PROCESSORS = ALL_PROCESSORS[1:] if ASKED == "short" else ALL_PROCESSORS
"""Processors that answer."""

HERE, WRITTEN_HERE, WRITTEN_THERE = "answers here", "bundles here", "bundles there"

UNKNOWN_PROCESSOR = "max"
"""Emulated processor whose maker ONNX Runtime does not know."""

LARGEST_DIFFERENCE = {FLOAT32: 1e-4, "int8": 0.6, "int8-weights": 0.7, "int4": 1.0}
"""Largest difference of a logit from this machine's, about twice what was measured; their spread is 2.6."""

LARGEST_GROWTH = 1.1
"""Largest error of a quantized bundle's logits, beside float32's, to that on this machine."""

pytestmark = pytest.mark.skipif(not ASKED, reason="takes minutes in an emulator: `make test-arm64-core` asks for it")


@pytest.fixture(scope="session")
def arm64() -> Emulator:
    try:
        return emulator()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def folders(arm64: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of bundles and of answers, from this machine and from emulated processors, all at the same time.

    All answers are those of this machine's bundles, because one processor writing all bundles again is enough to see
    that it writes the same.
    """
    parent = tmp_path_factory.mktemp("arm64")
    found = {name: parent / name for name in (WRITTEN_HERE, WRITTEN_THERE, HERE, *PROCESSORS)}
    for folder in found.values():
        folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(parent), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}

    def arguments(work: str, source: Path, name: str) -> list[str]:
        options = ["--bundles", *BUNDLES, "--sharing", *SHARING]
        return ["-m", "makers.arm64.answers", work, str(source), str(found[name]), *options]

    write = [sys.executable, *arguments("write", CHECKPOINT, WRITTEN_HERE)]
    subprocess.run(write, env=environment, check=True)
    answer = [sys.executable, *arguments("answer", found[WRITTEN_HERE], HERE)]
    running = {HERE: subprocess.Popen(answer, env=environment)}
    for name in PROCESSORS:
        asked = arguments("answer", found[WRITTEN_HERE], name)
        running[name] = arm64.run(name, asked, environment=environment, log=found[name] / "log")
    written = arguments("write", CHECKPOINT, WRITTEN_THERE)
    running[WRITTEN_THERE] = arm64.run(WRITING, written, environment=environment, log=parent / "log")
    codes = {name: process.wait() for name, process in running.items()}
    logs = [path.read_text(errors="replace")[-3000:] for path in (parent / "log", *parent.glob("*/log"))]
    assert not any(codes.values()), f"{codes}: {logs}"
    return found


def answers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_are_the_same_to_the_last_byte(folders: dict[str, Path], name: str) -> None:
    """A bundle that was made on one machine is the one that another would have made, which its digest shows."""
    there, here = folders[WRITTEN_THERE] / name, folders[WRITTEN_HERE] / name
    files = sorted(path.name for path in here.iterdir())
    assert sorted(path.name for path in there.iterdir()) == files
    _, differing, failed = filecmp.cmpfiles(here, there, files, shallow=False)
    assert (differing, failed) == ([], [])


@pytest.mark.parametrize("processor", PROCESSORS)
def test_the_emulated_processor_is_what_it_should_be(folders: dict[str, Path], processor: str) -> None:
    found = answers(folders[processor])
    kernels = {"cortex-a72": "Arm NEON", "cortex-a76": "Arm with dot products"}
    assert (found["machine"], found["kernels"]) == ("aarch64", kernels[processor])


@pytest.mark.parametrize("processor", PROCESSORS)
def test_float32_generates_the_same_tokens(folders: dict[str, Path], processor: str) -> None:
    there, here = (answers(folders[name])["bundles"][FLOAT32]["tokens"] for name in (processor, HERE))
    assert there == here


@pytest.mark.parametrize("name", ANSWERING)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_logits_are_near(folders: dict[str, Path], processor: str, name: str) -> None:
    there, here, exact = (
        np.load(folders[where] / f"{each}.npy").astype(np.float64)
        for where, each in ((processor, name), (HERE, name), (HERE, FLOAT32))
    )
    assert np.abs(there - here).max() <= LARGEST_DIFFERENCE[name]
    if name != FLOAT32:
        error_there, error_here = (float(np.sqrt(np.mean((logits - exact) ** 2))) for logits in (there, here))
        assert error_there <= LARGEST_GROWTH * error_here


@pytest.mark.parametrize("name", [name for name in ANSWERING if name != FLOAT32])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_perplexity_grows_no_more_than_allowed(folders: dict[str, Path], processor: str, name: str) -> None:
    # On so small a model, 4 bits lose more than the gate allows on any processor.
    allowed = 0.1 if name == "int4" else RECIPES[name].max_perplexity_increase
    assert answers(folders[processor])["bundles"][name]["perplexity_increase"] <= allowed


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_results_depend_neither_on_what_else_is_computed_nor_on_where_a_text_was_cut(
    folders: dict[str, Path], processor: str, name: str
) -> None:
    """Calls that share passes, texts in pieces or behind a prefix have the results of the call alone, to the last bit.

    A server promises that of the same bundles.
    """
    assert is_batch_invariant(read_manifest(folders[WRITTEN_HERE] / name), has_avx512=False)
    assert answers(folders[processor])["apart"][name] == []


@pytest.mark.parametrize("processor", PROCESSORS)
def test_nothing_is_written_to_standard_error(folders: dict[str, Path], processor: str) -> None:
    assert (folders[processor] / "log").read_text(encoding="utf-8") == ""


def test_users_read_nothing_about_a_processor_that_onnxruntime_does_not_know(arm64: Emulator, tmp_path: Path) -> None:
    written = {}
    for name, program in {
        "onnxruntime": "import onnxruntime",
        "biogpt_onnx": "from biogpt_onnx.runtime.ort.providers import import_onnxruntime; import_onnxruntime()",
    }.items():
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1"}
        log = tmp_path / name
        assert arm64.run(UNKNOWN_PROCESSOR, ["-c", program], environment=environment, log=log).wait() == 0
        written[name] = log.read_text(encoding="utf-8")
    assert "Unknown CPU vendor" in written["onnxruntime"], "nothing is to be hidden any more"
    assert written["biogpt_onnx"] == ""
