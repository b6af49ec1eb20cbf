"""Packing of a bundle into a static folder, whose page runs the model in the browser."""

import json
import os
import shutil
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from biogpt_onnx.runtime.bundle import MANIFEST_FILE, VOCAB_FILE, Manifest, check_files, read_manifest
from biogpt_onnx.runtime.bundle.target import content
from biogpt_onnx.runtime.bundle.writer import atomic_folder
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import open_tokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import read_symbols
from biogpt_onnx.web.description import BUNDLE_FOLDER, RUNTIME_FOLDER, describe, refuse_unsuitable
from biogpt_onnx.web.onnxruntime_web import PACKAGE, VERSION, read_licences, read_onnxruntime_web

DESCRIPTION_FILE = "page.json"
_READ_ME = f"""\
A page that runs a language model in the browser. Copy the folder to any web server, or try it:

    python -m http.server --bind 127.0.0.1 --directory THIS_FOLDER

The page is static: it sends no text anywhere. Browsers load the model once and keep it. They demand https, except for
localhost. To compute with several threads they also demand two headers with every file:

    Cross-Origin-Opener-Policy: same-origin
    Cross-Origin-Embedder-Policy: require-corp

{RUNTIME_FOLDER}/ holds files of npm's package {PACKAGE} {VERSION}, under the licences beside them. Whoever
published the model says what {BUNDLE_FOLDER}/ may be used for. All else is of biogpt-onnx, under the MIT licence.
"""


def pack_page(bundle: str | os.PathLike[str], output: str | os.PathLike[str], onnxruntime_web: Path | None) -> Manifest:
    """Packs a bundle into a folder that any web server can show; it appears whole or not at all.

    Args:
        bundle: folder of a bundle, whose files are compared with their hashes.
        output: folder to make; one that exists must be empty.
        onnxruntime_web: npm's package of ONNX Runtime's WebAssembly, as a file or unpacked; None to be told how to get
            it.

    Returns:
        The bundle's manifest.

    Raises:
        BundleError: the bundle is missing, altered or damaged, or the folder cannot be written.
        ConfigError: the bundle does not run in a browser, the package is missing or another, or `output` is not empty.
        ProviderError: ONNX Runtime's Python package, which has the licences, is not installed.
    """
    source, target = Path(bundle), Path(output)
    manifest = read_manifest(source)
    name = source.resolve().name
    refuse_unsuitable(name, manifest)
    _refuse_filled(target)
    runtime = read_onnxruntime_web(onnxruntime_web) | read_licences()
    check_files(source, manifest, contents=True)
    tokenizer = open_tokenizer(source, manifest)
    description = describe(name, manifest, tokenizer, len(read_symbols(source / VOCAB_FILE)))
    with atomic_folder(target, inputs=[source, onnxruntime_web]) as folder:
        for file in _page_files():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / RUNTIME_FOLDER).mkdir()
        for file_name, content_ in runtime.items():
            (folder / RUNTIME_FOLDER / file_name).write_bytes(content_)
        (folder / BUNDLE_FOLDER).mkdir()
        for file_name in (*manifest.files, MANIFEST_FILE):
            shutil.copyfile(source / file_name, folder / BUNDLE_FOLDER / file_name)
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description), encoding="utf-8", newline="\n")
        (folder / "README.txt").write_text(_READ_ME, encoding="utf-8", newline="\n")
    return manifest


def _page_files() -> Iterator[Traversable]:
    """Yields the files of the page."""
    yield from sorted(resources.files(__package__).joinpath("site").iterdir(), key=lambda file: file.name)


def _refuse_filled(target: Path) -> None:
    if target.is_dir() and content(target):
        raise ConfigError(f"{target} is not empty: name a folder that does not exist yet, or an empty one")
