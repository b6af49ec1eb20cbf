"""The software bill of materials of a wheelhouse, in CycloneDX's JSON."""

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from deploy.offline.pins import package_of

SPECIFICATION = "1.6"
OWN = "biogpt-onnx"


def write_sbom(path: Path, wheels: Sequence[Path]) -> None:
    """Writes the bill of materials: each package with its licences and licence texts, and each wheel with its hash.

    Args:
        path: file to write.
        wheels: wheels, that of biogpt-onnx among them, for any system.

    Raises:
        ValueError: a wheel's package is not in the bill, or the bill does not follow CycloneDX's schema.
        subprocess.CalledProcessError: cyclonedx-py failed.
    """
    bill = _describe(wheels)
    own, *others = sorted(bill["components"], key=lambda each: canonicalize_name(each["name"]) != OWN)
    components = {(str(canonicalize_name(each["name"])), each["version"]): each for each in bill["components"]}
    for wheel in wheels:
        component = components.get(package_of(wheel))
        if component is None:
            raise ValueError(f"{wheel.name} is not in the bill of materials that cyclonedx-py made")
        component.setdefault("externalReferences", []).append(_reference(wheel))
    # The subject of the bill, of which the others are parts.
    bill["metadata"]["component"] = own | {"type": "application"}
    bill["components"] = others
    text = json.dumps(bill, indent=1, ensure_ascii=False) + "\n"
    _validate(text)
    path.write_text(text, encoding="utf-8")


def _describe(wheels: Sequence[Path]) -> dict[str, Any]:
    """Returns what cyclonedx-py says of an environment with the metadata of these wheels, and nothing else in it."""
    with tempfile.TemporaryDirectory() as name:
        environment = Path(name) / "environment"
        venv.create(environment, with_pip=False)
        (packages,) = environment.glob("lib/python*/site-packages")
        for wheel in wheels:
            _unpack_metadata(wheel, packages)
        output = Path(name) / "bill.json"
        command = [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "--gather-license-texts",
        ]
        command += ["--spec-version", SPECIFICATION, "--output-format", "JSON", "--output-file", str(output)]
        subprocess.run([*command, str(environment / "bin" / "python")], check=True, capture_output=True)
        described: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return described


def _unpack_metadata(wheel: Path, packages: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            if ".dist-info/" in entry.partition("/")[0] + "/":
                archive.extract(entry, packages)


def _reference(wheel: Path) -> dict[str, Any]:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "type": "distribution",
        "url": f"wheels/{wheel.name}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _validate(text: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.from_version(SPECIFICATION)).validate_str(text)
    if error is not None:
        raise ValueError(f"the bill of materials does not follow CycloneDX's schema: {error}")
