"""The command `verify`: compares a bundle with transformers on the checkpoint that it was made from."""

import argparse
import dataclasses
import json

from biogpt_onnx.cli.arguments.bundle import (
    add_bundle_argument,
    add_memory_check_argument,
    add_session_arguments,
    check_expected,
)
from biogpt_onnx.cli.arguments.checkpoint import add_checkpoint_arguments, checkpoint_options
from biogpt_onnx.cli.arguments.names import non_empty
from biogpt_onnx.runtime.bundle import check_files, read_manifest
from biogpt_onnx.runtime.errors import CheckpointError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "--against",
        type=non_empty,
        required=True,
        metavar="SOURCE",
        help="the checkpoint, in any form that export takes",
    )
    add_checkpoint_arguments(parser)
    parser.add_argument(
        "--atol",
        type=float,
        help="largest difference of a logit (default 1e-4, more where logits spread unusually)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_session_arguments(parser)
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if the two do not agree."""
    check_expected(options)
    try:
        from biogpt_onnx.export.head_parity import compare_head_with, open_head_reference
        from biogpt_onnx.export.parity import compare_with
        from biogpt_onnx.export.parity_report import Tolerance
        from biogpt_onnx.export.reference import open_reference
        from biogpt_onnx.export.text_parity import TEXTS, compare_end_tokens, compare_texts
    except ImportError as error:
        raise CheckpointError(f'verify needs more packages ({error}): pip install "biogpt-onnx[verify]"') from error
    from biogpt_onnx.runtime.backends.registry import open_backend
    from biogpt_onnx.runtime.loading import open_tokenizer
    from biogpt_onnx.runtime.options import LoadOptions

    manifest = read_manifest(options.bundle)
    check_files(options.bundle, manifest)
    load_options = LoadOptions(device=options.device, threads=options.threads, check_memory=options.check_memory)
    tolerance = None if options.atol is None else Tolerance(absolute=options.atol)
    if manifest.head is not None:
        classifier = open_head_reference(options.against, revision=options.revision)
        report = compare_head_with(
            open_backend(options.bundle, manifest, load_options), manifest.head, classifier, tolerance=tolerance
        )
    else:
        reference = open_reference(options.against, **checkpoint_options(options))
        ours, theirs = open_tokenizer(options.bundle, manifest), reference.tokenizer
        texts = () if theirs is None else compare_texts(ours, theirs)
        end_tokens = compare_end_tokens(manifest.end_token_ids, reference.end_token_ids)
        prompts = [ours.encode(text) for text in TEXTS]
        backend = open_backend(options.bundle, manifest, load_options)
        report = compare_with(backend, reference, prompts=prompts, tolerance=tolerance)
        report = dataclasses.replace(report, texts=(*texts, end_tokens), reference=reference.reading)
    if options.json:
        print(json.dumps(dataclasses.asdict(report) | {"passed": report.passed}, indent=2))
    else:
        print(report.table())
    return 0 if report.passed else 1
