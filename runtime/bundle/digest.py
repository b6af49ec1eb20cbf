"""The digest of a bundle: one value that names its exact bytes.

It is the sha256 of the bytes of `bundle.json`, which holds the size and the sha256 of every other file.
"""

import re
from pathlib import Path

from biogpt_onnx.runtime.bundle.files import check_files
from biogpt_onnx.runtime.bundle.manifest import Manifest
from biogpt_onnx.runtime.bundle.manifest_reading import parse_manifest, read_manifest_bytes
from biogpt_onnx.runtime.bundle.names import MANIFEST_FILE, WEIGHTS_FILE
from biogpt_onnx.runtime.errors import BundleError, ConfigError

_FORM = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(content: bytes) -> str:
    """Returns the digest of a bundle, "sha256:" and 64 hexadecimal digits.

    Args:
        content: bytes of its `bundle.json`.
    """
    import hashlib  # noqa: PLC0415 -- slow to import, and not every command hashes

    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def bundle_digest(folder: Path) -> str:
    """Returns the digest of the bundle in a folder; the files that its manifest names are not read.

    Raises:
        BundleError: there is no bundle, or its manifest cannot be read.
    """
    return digest_of(read_manifest_bytes(folder))


def check_digest_form(name: str, digest: object) -> None:
    """Refuses what is no digest of a bundle.

    Args:
        name: name of the setting, for the error.
        digest: value of the setting.

    Raises:
        ConfigError: it has another form.
    """
    if not isinstance(digest, str) or not _FORM.fullmatch(digest):
        raise ConfigError(
            f"{name} is {digest!r}: give sha256: and 64 hexadecimal digits in lower case, as `biogpt-onnx info` prints"
        )


def read_expected_manifest(folder: Path, expect: str) -> tuple[Manifest, bytes]:
    """Reads a bundle that must be the expected one, to the last byte of every file.

    The manifest is parsed only if it has the digest, and its bytes are read once, so that what was compared is what is
    used. The other files are read to be hashed, and again by whoever opens them.

    Args:
        folder: bundle's folder.
        expect: digest that the bundle must have.

    Returns:
        The manifest, and the bytes of `bundle.json`.

    Raises:
        BundleError: it is another bundle, or one of its files is missing, altered or not in the manifest.
        ConfigError: `expect` is no digest.
    """
    check_digest_form("expect", expect)
    content = read_manifest_bytes(folder)
    found = digest_of(content)
    if found != expect:
        raise BundleError(
            f"{folder} is another bundle than expected: the digest of its {MANIFEST_FILE} is {found}, expected "
            f"{expect}: name the expected bundle, or expect this one if you trust it"
        )
    manifest = parse_manifest(folder, content)
    if WEIGHTS_FILE not in manifest.files and (folder / WEIGHTS_FILE).exists():
        raise BundleError(
            f"{folder}: {WEIGHTS_FILE} is not in {MANIFEST_FILE}, so that its bytes cannot be compared with the "
            "expected ones: export the bundle again"
        )
    check_files(folder, manifest, contents=True)
    return manifest, content
