import os
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle

MINI_CHECKPOINT = Path(__file__).parents[1] / "checkpoints" / "mini"


@pytest.fixture(scope="session")
def mini_checkpoint() -> Path:
    """The embedded checkpoint, in Hugging Face form."""
    return MINI_CHECKPOINT


@pytest.fixture(scope="session")
def mini_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint as a bundle. Tests must not change it."""
    target = tmp_path_factory.mktemp("bundles") / "mini"
    export_bundle(open_checkpoint(MINI_CHECKPOINT), target)
    return target


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
