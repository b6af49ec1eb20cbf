import gc
import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

import biogpt_onnx
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize import quantize_bundle

MINI_CHECKPOINT = Path(__file__).parents[1] / "checkpoints" / "mini"

MakeOnce = Callable[[str, Callable[[Path], object]], Path]
"""Takes the name of a folder and what writes it; returns the folder, which the first process to ask has written."""


# What is true of all examples is tried with the same ones each time, so that a change is what makes a test fail.
# HYPOTHESIS=random looks for others. No time is asserted.
_RANDOM = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("random", _RANDOM)
hypothesis.settings.register_profile("same", _RANDOM, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS", "same"))


def pytest_configure() -> None:
    """Gives each of several processes that run tests cores of its own.

    Threads of ONNX Runtime and torch spin while they wait, so that processes that share cores hold each other up.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker.removeprefix("gw")) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]
        os.sched_setaffinity(0, own or cores)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leaves what is there before the first test out of garbage collections.

    Thousands of tests and the modules that they import, torch among them, are a million objects. They stay until the
    end, yet each full collection would look at all of them, and a sixth of a run's time would be spent so.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Makes folders that all processes of a test run read and none changes. What writes one must write it at once."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    shared.mkdir(exist_ok=True)

    def folder(name: str, write: Callable[[Path], object]) -> Path:
        target = shared / name
        with FileLock(shared / f"{name}.lock"):
            if not target.exists():
                write(target)
        return target

    return folder


@pytest.fixture(scope="session")
def mini_checkpoint() -> Path:
    """The embedded checkpoint, in Hugging Face form."""
    return MINI_CHECKPOINT


@pytest.fixture(scope="session")
def mini_bundle(make_once: MakeOnce) -> Path:
    """The embedded checkpoint as a bundle. Tests must not change it."""
    return make_once("mini", lambda target: export_bundle(open_checkpoint(MINI_CHECKPOINT), target))


@pytest.fixture(scope="session")
def mini_by(mini_bundle: Path, make_once: MakeOnce) -> Callable[[str], Path]:
    """Returns the embedded checkpoint as a bundle by a recipe, or "fp32". Tests must not change it."""

    def bundle(recipe: str) -> Path:
        if recipe == "fp32":
            return mini_bundle
        return make_once(f"mini-{recipe}", lambda to: quantize_bundle(mini_bundle, to, recipe, evaluation=False))

    return bundle


@pytest.fixture(scope="session")
def mini(mini_bundle: Path) -> biogpt_onnx.BioGPT:
    """The embedded checkpoint, loaded."""
    return biogpt_onnx.load(mini_bundle)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The published vocabularies, which are not part of the repository."""
    folder = os.environ.get("BIOGPT_DATA")
    if not folder:
        pytest.skip("BIOGPT_DATA does not name a folder with the published vocabularies")
    return Path(folder)
