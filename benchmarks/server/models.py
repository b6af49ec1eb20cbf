"""Models that the servers load, all of the same weights: made once and kept."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks.compare.models import BIOGPT, PLAIN, made_once, open_models
from benchmarks.full_size import PRESET
from benchmarks.model_files import FLOAT32
from benchmarks.processes import CHECKOUT, checkout_environment
from benchmarks.server.peers.llama_server import FILE_NAME
from biogpt_onnx.quantize.quantizer import quantize_bundle
from biogpt_onnx.quantize.recipes import RECIPES

RECIPE = "int8"
MINI = "checkpoints/mini"

_LAST_WORDS = 300


class Models:
    """Models in one folder.

    Args:
        folder: where they lie.
        bundle: our bundle in 8 bits, if there is one; otherwise it is made, too.
        cache_bundle: the same with a cache in 8 bits, if there is one; otherwise it is made, too.
        mini: the embedded checkpoint instead of random weights of BioGPT's size.
    """

    def __init__(
        self, folder: Path, bundle: Path | None = None, cache_bundle: Path | None = None, *, mini: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._model = folder, PLAIN if mini else BIOGPT
        self._bundle, self._cache_bundle = bundle, cache_bundle
        self._made = open_models(folder, CHECKOUT / MINI, PRESET)

    def checkpoint(self) -> Path:
        """Returns the Hugging Face folder in float32."""
        return self._made.checkpoint(self._model)

    def bundle(self) -> Path:
        """Returns our bundle in 8 bits."""
        return self._bundle or self._made.bundle(self._model, RECIPE)

    def cache_bundle(self) -> Path:
        """Returns our bundle in 8 bits whose cache is in 8 bits, too."""
        if self._cache_bundle is not None:
            return self._cache_bundle
        original = self._made.bundle(self._model, FLOAT32)
        target = self._folder / f"server-{RECIPE}-cache-{self._model}-{self._made.digest}"
        return made_once(target, lambda path: quantize_bundle(original, path, replace(RECIPES[RECIPE], cache="int8")))

    def llama(self, python: str) -> Path:
        """Returns the file of llama-server, which the python of its environment makes.

        Raises:
            RuntimeError: it cannot be made.
        """
        module = "benchmarks.server.peers.llama_server"
        target = self._folder / f"server-llama-q8_0-{self._model}"
        command = [python, "-m", module, str(self.checkpoint())]
        return made_once(target, lambda path: _run([*command, str(path)])) / FILE_NAME

    def openvino(self, python: str) -> Path:
        """Returns the folder of OpenVINO, which the python of optimum-intel's environment makes.

        Raises:
            RuntimeError: it cannot be made.
        """
        module = "benchmarks.compare.peers.openvino_peer"
        target = self._folder / f"server-openvino-int8-{self._model}"
        command = [python, "-m", module, "prepare", str(self.checkpoint())]
        return made_once(target, lambda path: _run([*command, str(path), "--variant", "int8"]))


def _run(command: list[str]) -> None:
    variables = {**os.environ, **checkout_environment()}
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, env=variables
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError((lines or ["no reason given"])[-1][:_LAST_WORDS])
