"""The bundle of a run, which the first process that works on it records."""

import json

from biogpt_onnx._version import __version__
from biogpt_onnx.corpus.publishing import publish
from biogpt_onnx.corpus.run import BUNDLE_FILE, Run, damaged
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError

_SHOWN_DIGITS = 12
_ELSE = "or prepare another run"


def record_bundle(run: Run, model: BioGPT, name: str) -> str:
    """Records the bundle of a run, unless one is recorded.

    Args:
        run: The run.
        model: The bundle.
        name: The bundle's name.

    Returns:
        The sha256 of the bundle's manifest file, which names the hashes of all its files, as hexadecimal digits.

    Raises:
        ConfigError: Another bundle, or another device, is recorded.
        DocumentError: The record is damaged, or cannot be written.
    """
    digest = model.bundle_digest.removeprefix("sha256:")
    path = run.folder / BUNDLE_FILE
    ours = {"sha256": digest, "name": name, "device": model.device, "package": __version__}
    if publish(path, [json_line(ours)]):
        return digest
    try:
        first = json.loads(path.read_text(encoding="utf-8"))
        then, device = str(first["sha256"]), str(first["device"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    if then != digest:
        raise ConfigError(
            f"{run.folder} was begun with the bundle {first.get('name')} (manifest {then[:_SHOWN_DIGITS]}), and {name} "
            f"is another one ({digest[:_SHOWN_DIGITS]}): use the first one, {_ELSE}"
        )
    if device != model.device:
        raise ConfigError(
            f"{run.folder} was begun on the device {device}, whose numbers differ from those of {model.device}: say "
            f"--device {device}, {_ELSE}"
        )
    return digest
