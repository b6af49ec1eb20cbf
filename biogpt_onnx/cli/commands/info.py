"""The command `info`: describes a bundle."""

import argparse
import json

from biogpt_onnx.bench.advice.processor import instruction_sets
from biogpt_onnx.cli.arguments.bundle import add_bundle_argument, check_expected
from biogpt_onnx.cli.layer_precisions import precisions_line
from biogpt_onnx.cli.lineage import lineage_lines, lineage_record
from biogpt_onnx.cli.manifest_lines import (
    cache_lines,
    generation_lines,
    rows_lines,
    scales_lines,
    speed_lines,
    steps_lines,
)
from biogpt_onnx.runtime.bundle import (
    MANIFEST_FILE,
    ClassificationHead,
    Manifest,
    check_files,
    check_manifest,
    parse_manifest,
    read_manifest_bytes,
    unlisted_files,
)
from biogpt_onnx.runtime.bundle.digest import digest_of

_MOST_LABELS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "--check", action="store_true", help="read every file and compare its sha256, and that of the manifest itself"
    )
    parser.add_argument(
        "--lineage",
        action="store_true",
        help="say what it was made from: checkpoint, float32 bundle, text, with their hashes, and what made it",
    )
    parser.add_argument("--json", action="store_true", help="print the manifest and the bundle's digest as JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command; a missing or altered file is bad input."""
    check_expected(options)
    content = read_manifest_bytes(options.bundle)
    manifest, digest = parse_manifest(options.bundle, content), digest_of(content)
    check_files(options.bundle, manifest, contents=options.check)
    checked = "present, of the right size (--check reads them)"
    if options.expect is not None:
        checked = "every byte is as expected"
    elif options.check:
        checked = "every byte is as it was written"
        if not check_manifest(options.bundle):
            checked += f", but an earlier version wrote {MANIFEST_FILE}: an edit of it would not be noticed"
    if unlisted := unlisted_files(options.bundle, manifest):
        checked += f"; not of the bundle: {', '.join(map(ascii, unlisted))}"
    if options.json:
        # With fields that only another version knows, in the form in which the file has them.
        shown = lineage_record(manifest, digest) if options.lineage else json.loads(content) | {"digest": digest}
        print(json.dumps(shown, indent=2, sort_keys=True))
    elif options.lineage:
        print(lineage_lines(manifest, digest))
    else:
        print(_summary(manifest, digest, checked))
    return 0


def _summary(manifest: Manifest, digest: str, files: str) -> str:
    shape = manifest.architecture
    lines = {
        "source": manifest.source,
        "precision": manifest.precision + (f", by recipe {manifest.recipe}" if manifest.recipe else ""),
        **({"chosen": precisions_line(manifest.layer_precisions)} if manifest.layer_precisions else {}),
        **scales_lines(manifest),
        **cache_lines(manifest),
        **steps_lines(manifest),
        **rows_lines(manifest),
        **speed_lines(manifest, instruction_sets()),
        "size": f"{manifest.num_bytes / 1e6:,.1f} MB in {len(manifest.files)} files",
        "layers": f"{shape.num_layers} of {shape.hidden_size}, feed-forward {shape.intermediate_size}",
        "heads": f"{shape.num_heads} of {shape.head_size}",
        "vocabulary": f"{shape.vocab_size:,}, of which soft prompt {shape.soft_prompt_size}",
        "positions": f"{shape.max_positions:,}",
        **({"head": _head(manifest.head), "labels": _labels(manifest.head)} if manifest.head else {}),
        "task": manifest.task or "none on record",
        **generation_lines(manifest),
        **({"notes": "; ".join(manifest.notes)} if manifest.notes else {}),
        "evaluated": _evaluated(manifest),
        "made by": ", ".join(f"{name} {version}" for name, version in sorted(manifest.tools.items())),
        "digest": digest,
        "files": files,
    }
    return "\n".join(f"{name + ':':12}{value}" for name, value in lines.items())


def _head(head: ClassificationHead) -> str:
    kind = head.problem_type.replace("_", " ")
    return f"{head.kind} ({kind}), {head.num_labels} label{'s' if head.num_labels > 1 else ''}"


def _labels(head: ClassificationHead) -> str:
    shown = ", ".join(label if label.isprintable() else ascii(label) for label in head.labels[:_MOST_LABELS])
    return shown + (f", and {head.num_labels - _MOST_LABELS} more (--json)" if head.num_labels > _MOST_LABELS else "")


def _evaluated(manifest: Manifest) -> str:
    report = manifest.evaluation
    if report is None:
        return "no comparison with a float32 bundle is on record"
    try:
        if manifest.head is not None:
            same, decisions = report["same_labels"], f"{report['num_decisions']:,} decisions"
            if same is None:
                return f"numbers differ by {report['mean_difference']['value']:.2e} on average, on {decisions}"
            return f"{same['value']:.2%} of {decisions} on {report['text']} text as in float32"
        increase, text = report["perplexity_increase"]["value"], report["text"]
        return f"perplexity {increase:+.3%} beside float32, on {report['num_documents']} documents of {text} text"
    except (KeyError, TypeError, ValueError):
        return "a comparison is on record, in a form that this version does not know"
