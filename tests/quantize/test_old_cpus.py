"""The same bundle under emulated processors without VNNI, AVX-512 and AVX2, which hospitals still run."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.options import LoadOptions

EMULATOR = shutil.which("qemu-x86_64")
# Over this many tokens the processors' errors agree within a percent; over sixteen they differ by ten, by chance.
IDS = [2, *np.random.default_rng(0).integers(10, 6000, 119).tolist()]

pytestmark = pytest.mark.skipif(
    EMULATOR is None or platform.machine() != "x86_64", reason="qemu-x86_64 (Debian's qemu-user) is not installed"
)

LOGITS_OF = """
import sys
from pathlib import Path
import numpy as np
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.options import LoadOptions
ids = np.array([[int(token) for token in sys.argv[2].split(",")]])
for name in sys.argv[3:]:
    folder = Path(sys.argv[1]) / name
    session = DecoderSession(folder, read_manifest(folder), LoadOptions(threads=1))
    logits = session.forward(ids, session.new_cache(1, ids.size), logits_indices=np.arange(ids.size))
    np.save(folder.with_suffix(".npy"), logits)
"""


@pytest.fixture(scope="module")
def bundles(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the embedded checkpoint in float32 and by every integer recipe that keeps rows apart."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "fp32").symlink_to(mini_bundle)
    for name, recipe in RECIPES.items():
        if recipe.batch_invariant and recipe.precision.startswith("int"):
            quantize_bundle(mini_bundle, folder / name, recipe)
    return folder


def logits_here(folder: Path) -> npt.NDArray[np.float32]:
    session = DecoderSession(folder, read_manifest(folder), LoadOptions(threads=1))
    return session.forward(np.array([IDS]), session.new_cache(1, len(IDS)), logits_indices=np.arange(len(IDS)))


@pytest.mark.parametrize("cpu", ["Haswell", "Nehalem"])
def test_an_old_processor_answers_as_well_as_this_one(bundles: Path, cpu: str) -> None:
    names = sorted(path.name for path in bundles.iterdir() if path.is_dir())
    ids = ",".join(map(str, IDS))
    command = [str(EMULATOR), "-cpu", cpu, sys.executable, "-c", LOGITS_OF, str(bundles), ids, *names]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    exact = logits_here(bundles / "fp32")
    for name in names:
        there, here = np.load(bundles / f"{name}.npy"), logits_here(bundles / name)
        error_there, error_here = (float(np.sqrt(np.mean((logits - exact) ** 2))) for logits in (there, here))
        assert error_there <= 1.1 * error_here + 1e-4, f"{name} on {cpu}: error {error_there}, here {error_here}"
        assert error_there < np.std(exact) * 0.25
