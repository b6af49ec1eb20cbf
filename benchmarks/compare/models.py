"""Models that a comparison runs, made once and kept: checkpoints, our bundles, and what each peer loads."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compare.peers import catalogue
from benchmarks.compare.peers.catalogue import Peer
from benchmarks.model_files import FLOAT32, write_safetensors
from benchmarks.outlier_twins import write_outlier_twin
from benchmarks.processes import CHECKOUT
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import INTEGER_RECIPES, RECIPES

OURS = (FLOAT32, *INTEGER_RECIPES)

BIOGPT = "biogpt"
PLAIN = "plain"
OUTLIERS = "outliers x100, 6 channels"
_TWIN_FACTOR, _TWIN_CHANNELS = 100, 6
_LAST_WORDS = 300


class PreparationError(Exception):
    """A peer's model cannot be made; says why in one line."""


@dataclass(frozen=True)
class MadeModels:
    """Models in one folder, under names that change with the code that makes them.

    Attributes:
        folder: where the models lie.
        mini: the embedded checkpoint.
        preset: the weights of BioGPT's size.
        digest: of the code that makes models; it is taken once, because somebody may edit the code meanwhile.
    """

    folder: Path
    mini: Path
    preset: str
    digest: str

    def checkpoint(self, model: str) -> Path:
        """Returns a Hugging Face folder in float32: of `BIOGPT`, or the embedded checkpoint `PLAIN` or `OUTLIERS`."""
        target = self.folder / f"checkpoint-{_slug(model)}-{self.digest}"
        if model == OUTLIERS:
            return made_once(target, lambda path: write_outlier_twin(self.mini, path, _TWIN_FACTOR, _TWIN_CHANNELS))
        source = self.preset if model == BIOGPT else str(self.mini)
        return made_once(target, lambda path: write_safetensors(open_checkpoint(source), path, "float32"))

    def bundle(self, model: str, recipe: str) -> Path:
        """Returns our bundle of a model, made by a recipe, or in `FLOAT32`."""
        target = self.folder / f"bundle-{_slug(model)}-{recipe}-{self.digest}"
        if target.exists():
            return target
        if recipe == FLOAT32:
            export_bundle(open_checkpoint(str(self.checkpoint(model))), target)
        else:
            quantize_bundle(self.bundle(model, FLOAT32), target, RECIPES[recipe])
        return target

    def peer(self, peer: Peer, model: str) -> Path:
        """Returns the folder that a peer loads of a model.

        Raises:
            PreparationError: its own command failed.
        """
        checkpoint = self.checkpoint(model)
        target = self.folder / f"peer-{_slug(peer.name)}-{_slug(model)}-{_peer_digest(peer)}-{self.digest}"
        return made_once(target, lambda path: _prepare(peer, checkpoint, path))


def open_models(folder: Path, mini: Path, preset: str) -> MadeModels:
    """Returns the models in a folder that this code and this embedded checkpoint make.

    Args:
        folder: where the models lie.
        mini: the embedded checkpoint.
        preset: the weights of BioGPT's size.
    """
    rooms = [path for room in ("export", "quantize") for path in (CHECKOUT / room).glob("**/*.py")]
    return MadeModels(folder, mini, preset, _digest_of([*sorted(rooms), *sorted(mini.glob("*.safetensors"))]))


def size_on_disk(folder: Path) -> int:
    """Returns the bytes of all files in a folder, linked ones included, each once."""
    files = {path.resolve() for path in folder.glob("**/*") if path.is_file()}
    return sum(path.stat().st_size for path in files)


def _prepare(peer: Peer, checkpoint: Path, target: Path) -> None:
    command = catalogue.prepare_command(peer, checkpoint, target)
    environment = {**os.environ, **catalogue.VARIABLES}
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, env=environment
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise PreparationError(f"it could not be prepared: {(lines or ['no reason given'])[-1][:_LAST_WORDS]}")


def made_once(target: Path, make: Callable[[Path], object]) -> Path:
    """Returns a target, after making it under another name if it is not there; so it is there whole or not at all.

    Args:
        target: a file or folder.
        make: makes it where it is told.
    """
    if target.exists():
        return target
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        make(unfinished)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _peer_digest(peer: Peer) -> str:
    scripts = sorted(Path(catalogue.__file__).parent.glob("*.py"))
    requirements = Path(catalogue.__file__).parent / "requirements" / f"{peer.package}.txt"
    return _digest_of([*scripts, *([requirements] if requirements.is_file() else [])])


def _digest_of(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).lower().split())
