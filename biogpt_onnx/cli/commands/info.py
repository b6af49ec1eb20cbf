"""The command `info`: describes a bundle."""

import argparse

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.layer_precisions import precisions_line
from biogpt_onnx.cli.manifest_lines import generation_lines
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument("--check", action="store_true", help="read every file and compare its sha256")
    parser.add_argument("--json", action="store_true", help="print the manifest as JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command; a missing or altered file is bad input."""
    manifest = read_manifest(options.bundle)
    check_files(options.bundle, manifest, contents=options.check)
    print(manifest.to_json().rstrip() if options.json else _summary(manifest, checked=options.check))
    return 0


def _summary(manifest: Manifest, *, checked: bool) -> str:
    shape = manifest.architecture
    lines = {
        "source": manifest.source,
        "precision": manifest.precision + (f", by recipe {manifest.recipe}" if manifest.recipe else ""),
        **({"chosen": precisions_line(manifest.layer_precisions)} if manifest.layer_precisions else {}),
        "size": f"{manifest.num_bytes / 1e6:,.1f} MB in {len(manifest.files)} files",
        "layers": f"{shape.num_layers} of {shape.hidden_size}, feed-forward {shape.intermediate_size}",
        "heads": f"{shape.num_heads} of {shape.head_size}",
        "vocabulary": f"{shape.vocab_size:,}, of which soft prompt {shape.soft_prompt_size}",
        "positions": f"{shape.max_positions:,}",
        "task": manifest.task or "none on record",
        **generation_lines(manifest),
        **({"notes": "; ".join(manifest.notes)} if manifest.notes else {}),
        "evaluated": _evaluated(manifest),
        "made by": ", ".join(f"{name} {version}" for name, version in sorted(manifest.tools.items())),
        "files": "every byte is as it was written" if checked else "present, of the right size (--check reads them)",
    }
    return "\n".join(f"{name + ':':12}{value}" for name, value in lines.items())


def _evaluated(manifest: Manifest) -> str:
    report = manifest.evaluation
    if report is None:
        return "no comparison with a float32 bundle is on record"
    increase, text = report["perplexity_increase"]["value"], report["text"]
    return f"perplexity {increase:+.3%} beside float32, on {report['num_documents']} documents of {text} text"
