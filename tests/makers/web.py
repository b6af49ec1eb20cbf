"""The modules of the page without a server under Node, and what npm's packages give."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from biogpt_onnx.web.onnxruntime_web import PACKAGE

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
NO_NODE = "Node is not installed: apt-get install nodejs"

NPM_PACKAGES = Path(os.environ.get("BIOGPT_NPM", ROOT / "build" / "npm")) / "node_modules"
"""The folder into which the Makefile installs npm's packages."""

ONNXRUNTIME_WEB = NPM_PACKAGES / PACKAGE
NO_PACKAGES = f"{NPM_PACKAGES} lacks npm's packages: make build/npm/installed"
TSC = NPM_PACKAGES / "typescript" / "bin" / "tsc"

SETTINGS: Mapping[str, Any] = {
    "max_new_tokens": 12,
    "min_new_tokens": 0,
    "do_sample": False,
    "seed": None,
    "temperature": 1,
    "top_k": 0,
    "top_p": 1,
    "min_p": 0,
    "repetition_penalty": 1,
    "no_repeat_ngram_size": 0,
    "stop_strings": [],
    "normalize_punctuation": False,
}
"""What the page's form gives if nothing is changed, but for the number of tokens."""

_SCRIPT = Path(__file__).parents[1] / "web" / "answer.mjs"


def site_files() -> Path:
    """Returns the folder with the page's own files."""
    return Path(str(resources.files("biogpt_onnx.web").joinpath("site")))


def copy_modules(target: Path) -> None:
    """Copies the page's modules into a folder from which Node takes them for modules."""
    shutil.copytree(site_files(), target)
    (target / "package.json").write_text('{"type": "module"}', encoding="utf-8")


def answer(modules: Path, about: str, **question: Any) -> Any:
    """Has a module answer a question under Node; see `answer.mjs`."""
    if NODE is None:
        raise RuntimeError(NO_NODE)
    with tempfile.TemporaryDirectory() as name:
        # Not by pipes, which Node cannot read and write at once.
        asked, answered = Path(name) / "asked.json", Path(name) / "answered.json"
        asked.write_text(json.dumps({"modules": str(modules), "about": about, **question}, default=str))
        done = subprocess.run([NODE, _SCRIPT, asked, answered], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return json.loads(answered.read_text(encoding="utf-8"))
