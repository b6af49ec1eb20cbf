"""Output of `info --lineage`: what a bundle was made from."""

from typing import Any

from biogpt_onnx.runtime.bundle import Manifest

_UNKNOWN = "not on record: an earlier version made it"


def lineage_record(manifest: Manifest, digest: str) -> dict[str, Any]:
    """Returns what is on record of a bundle's making, for JSON.

    Args:
        manifest: Manifest of the bundle.
        digest: Digest of the bundle.
    """
    evaluation = manifest.evaluation or {}
    return {
        "digest": digest,
        "precision": manifest.precision,
        "recipe": manifest.recipe,
        "source": manifest.source,
        "tools": dict(manifest.tools),
        "lineage": manifest.lineage,
        "evaluation_text": {name: evaluation[name] for name in ("text", "text_sha256") if name in evaluation} or None,
    }


def lineage_lines(manifest: Manifest, digest: str) -> str:
    """Returns the same as lines of text, from the bundle back to the checkpoint's files."""
    lines = [f"{'bundle:':14}{digest}", f"{'precision:':14}{manifest.precision}"]
    lineage = dict(manifest.lineage or {})
    try:
        if manifest.recipe is not None:
            lines += _quantized(manifest, lineage)
        else:
            lines.append(f"{'exported by:':14}{_versions(manifest.tools)}")
        lines += _checkpoint(manifest, lineage)
    except (AttributeError, KeyError, TypeError, ValueError):
        lines.append(f"{'lineage:':14}on record in a form that this version does not know (--json shows it)")
    return "\n".join(lines)


def _quantized(manifest: Manifest, lineage: dict[str, Any]) -> list[str]:
    lines = [
        f"{'recipe:':14}{manifest.recipe}",
        f"{'quantized by:':14}{_versions(manifest.tools)}",
        f"{'of bundle:':14}{lineage.get('float32_bundle', _UNKNOWN)}",
    ]
    if (calibration := lineage.get("calibration")) is not None:
        text = f"{calibration['passages']:,} passages of {calibration['text']} text"
        lines.append(f"{'calibrated:':14}on {text}, sha256:{calibration['sha256']}")
    if (rounding := lineage.get("rounding")) is not None:
        lines.append(f"{'rounding:':14}{rounding}")
    if (block_size := lineage.get("block_size")) is not None:
        lines.append(f"{'block size:':14}{block_size}")
    if manifest.evaluation is not None:
        sha256 = manifest.evaluation.get("text_sha256")
        hashed = "" if sha256 is None else f", sha256:{sha256}"
        lines.append(f"{'evaluated:':14}on {manifest.evaluation['text']} text{hashed}")
    exported_by = _versions(lineage["exported_by"]) if "exported_by" in lineage else _UNKNOWN
    return [*lines, f"{'exported by:':14}{exported_by}"]


def _checkpoint(manifest: Manifest, lineage: dict[str, Any]) -> list[str]:
    lines = [f"{'checkpoint:':14}{manifest.source}"]
    if "checkpoint" not in lineage:
        return [*lines, f"{'':14}its files are {_UNKNOWN}"]
    files = lineage["checkpoint"]["files"]
    if not files:
        return [*lines, f"{'':14}it has no files"]
    return lines + [
        f"{'':14}sha256:{file['sha256']} {file['size']:>13,} bytes  {_name(file['name'])}" for file in files
    ]


def _versions(tools: Any) -> str:  # noqa: ANN401 -- JSON
    return ", ".join(f"{name} {version}" for name, version in sorted(tools.items()))


def _name(name: str) -> str:
    return name if name.isprintable() else ascii(name)
