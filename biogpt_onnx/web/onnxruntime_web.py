"""ONNX Runtime's WebAssembly, from npm's package: which version, and how it is taken from what the user has fetched."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from biogpt_onnx.files.opening.archive import members_of
from biogpt_onnx.runtime.bundle import FileRecord
from biogpt_onnx.runtime.errors import ConfigError, DocumentError, ProviderError

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
"""The version whose files are packed; the page calls functions that another version may not have."""

MODULE, BINARY = "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
FILES = {
    MODULE: FileRecord(24_381, "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"),
    BINARY: FileRecord(14_239_897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
}
"""The files of that version that are packed, with their sizes in bytes and their sha256."""

LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
"""The licences, which npm's package lacks; ONNX Runtime's Python package has them."""

FETCH = f"npm pack {PACKAGE}@{VERSION}"
"""The command that fetches npm's package as a file."""

TARBALL = f"{PACKAGE}-{VERSION}.tgz"
"""The name of that file."""

_FOLDER = "package/dist"


@dataclass(frozen=True)
class _Source:
    """What the user has fetched: a folder with the unpacked package, or the package as a file."""

    path: Path

    def contents(self) -> Iterator[tuple[str, bytes | None]]:
        """Yields the names of the files and their contents; None for one that is missing or of another size."""
        if self.path.is_dir():
            for name, record in FILES.items():
                places = (self.path / folder / name for folder in (_FOLDER, "dist", "."))
                found = next((place for place in places if place.is_file()), None)
                fits = found is not None and found.stat().st_size == record.size
                yield name, found.read_bytes() if fits and found is not None else None
            return
        names = {f"{_FOLDER}/{name}": name for name in FILES}
        left = dict.fromkeys(FILES)
        for member in members_of(self.path):
            wanted = names.get(member.name)
            if wanted is not None:
                left.pop(wanted, None)
                # One byte more than there should be, by which a longer file shows.
                yield wanted, member.stream.read(FILES[wanted].size + 1)
        yield from left.items()


def read_onnxruntime_web(path: Path | None) -> dict[str, bytes]:
    """Reads the files of ONNX Runtime's WebAssembly, and compares them with the hashes of the version that is used.

    Args:
        path: npm's package, as a file or unpacked; None where the user has named none.

    Returns:
        The contents of `FILES` by name.

    Raises:
        ConfigError: none was named, or it is not that version.
    """
    get = f"fetch it with `{FETCH}` where there is a network, and name the file: --onnxruntime-web {TARBALL}"
    if path is None:
        raise ConfigError(f"ONNX Runtime's WebAssembly is not a part of biogpt-onnx, which downloads nothing: {get}")
    if not path.exists():
        raise ConfigError(f"{path} does not exist: {get}")
    files: dict[str, bytes] = {}
    try:
        for name, content in _Source(path).contents():
            if content is None or hashlib.sha256(content).hexdigest() != FILES[name].sha256:
                raise ConfigError(f"{path} does not hold {name} of {PACKAGE} {VERSION}: {get}")
            files[name] = content
    except (DocumentError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as the package {PACKAGE} ({error}): {get}") from error
    return files


def read_licences() -> dict[str, bytes]:
    """Reads ONNX Runtime's licence and those of what it contains, from its Python package.

    Raises:
        ProviderError: ONNX Runtime is not installed, or lacks them.
    """
    spec = find_spec("onnxruntime")
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        if all((folder / name).is_file() for name in LICENCES):
            return {name: (folder / name).read_bytes() for name in LICENCES}
    raise ProviderError(
        "the licences of ONNX Runtime, which go with its WebAssembly, come with its Python package, which is not "
        'installed: pip install "biogpt-onnx[cpu]"'
    )
