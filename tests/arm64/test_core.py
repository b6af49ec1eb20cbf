"""The embedded checkpoint on emulated ARM64 processors beside this machine: the same files, and the same answers."""

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
from makers.arm64.answers import ANSWERING, FILE, FLOAT32, QUANTIZED_CACHE
from makers.arm64.emulator import PROCESSORS, Emulator, emulator
from makers.arm64.errors import UnavailableError

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "checkpoints" / "mini"
HERE = "here"

# By measurement, with room for other processors than the one at hand. The spread of logits is about 2.6.
LARGEST_DIFFERENCE = {FLOAT32: 1e-4, "int8": 0.3, "int8-weights": 0.3, "int4": 0.5}
LARGEST_GROWTH = 1.1

BUNDLES = (FLOAT32, *RECIPES, QUANTIZED_CACHE)

pytestmark = pytest.mark.skipif(
    not os.environ.get("BIOGPT_ARM64"), reason="takes minutes in an emulator, which `make test-arm64-core` asks for"
)


@pytest.fixture(scope="session")
def arm64() -> Emulator:
    try:
        return emulator()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def folders(arm64: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of bundles and answers, of this machine and of each emulated processor."""
    parent = tmp_path_factory.mktemp("answers")
    found = {name: parent / name for name in (HERE, *PROCESSORS)}
    environment = {"PATH": os.environ["PATH"], "HOME": str(parent), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    running = {}
    for name, folder in found.items():
        folder.mkdir()
        arguments = ["-m", "makers.arm64.answers", str(CHECKPOINT), str(folder)]
        log = folder / "log"
        if name == HERE:
            with log.open("wb") as file:
                command = [sys.executable, *arguments]
                running[name] = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
        else:
            running[name] = arm64.run(name, arguments, environment=environment, log=log)
    for name, process in running.items():
        assert process.wait() == 0, f"{name}: {(found[name] / 'log').read_text(errors='replace')[-3000:]}"
    return found


def answers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("processor", PROCESSORS)
class TestProcessor:
    def test_nothing_is_said_to_users_about_the_processor(self, folders: dict[str, Path], processor: str) -> None:
        assert (folders[processor] / "log").read_text(encoding="utf-8") == ""

    def test_the_emulated_processor_is_what_it_should_be(self, folders: dict[str, Path], processor: str) -> None:
        found = answers(folders[processor])
        kernels = {"cortex-a72": "Arm NEON", "cortex-a76": "Arm with dot products"}
        assert (found["machine"], found["kernels"]) == ("aarch64", kernels[processor])

    @pytest.mark.parametrize("name", BUNDLES)
    def test_bundles_are_the_same_to_the_last_byte(self, folders: dict[str, Path], processor: str, name: str) -> None:
        """A bundle that was made on one machine is the one that another would have made, which its hashes show."""
        there, here = folders[processor] / name, folders[HERE] / name
        files = sorted(path.name for path in here.iterdir())
        assert sorted(path.name for path in there.iterdir()) == files
        _, differing, failed = filecmp.cmpfiles(here, there, files, shallow=False)
        assert (differing, failed) == ([], [])

    def test_float32_generates_the_same_tokens(self, folders: dict[str, Path], processor: str) -> None:
        there, here = (answers(folders[name])["bundles"][FLOAT32]["tokens"] for name in (processor, HERE))
        assert there == here

    @pytest.mark.parametrize("name", ANSWERING)
    def test_logits_are_near(self, folders: dict[str, Path], processor: str, name: str) -> None:
        there, here, exact = (
            np.load(folder / f"{each}.npy").astype(np.float64)
            for folder, each in ((folders[processor], name), (folders[HERE], name), (folders[HERE], FLOAT32))
        )
        if name == FLOAT32:
            np.testing.assert_allclose(there, here, atol=LARGEST_DIFFERENCE[name])
            return
        assert np.abs(there - here).max() <= LARGEST_DIFFERENCE[name]
        # ARM64 must not make the error of quantization larger.
        error_there, error_here = (float(np.sqrt(np.mean((logits - exact) ** 2))) for logits in (there, here))
        assert error_there <= LARGEST_GROWTH * error_here

    @pytest.mark.parametrize("name", [name for name in ANSWERING if name != FLOAT32])
    def test_the_quality_gate_is_passed(self, folders: dict[str, Path], processor: str, name: str) -> None:
        found = answers(folders[processor])["bundles"][name]
        assert found["passed"], f"perplexity grew by {found['perplexity_increase']:.2%}"

    @pytest.mark.parametrize("name", ANSWERING)
    def test_results_do_not_depend_on_what_is_computed_beside_them(
        self, folders: dict[str, Path], processor: str, name: str
    ) -> None:
        """Rows, beams, prefixes, drafts and choices are, to the last bit, those of the same call alone."""
        assert answers(folders[processor])["bundles"][name]["apart"] == []
