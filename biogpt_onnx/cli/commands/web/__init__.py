"""The command `web`: packs a bundle into a static folder whose page runs the model in the browser."""

import argparse

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument, check_expected
from biogpt_onnx.cli.arguments.names import non_empty_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument("-o", "--output", type=non_empty_path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--onnxruntime-web",
        type=non_empty_path,
        metavar="PACKAGE",
        help="npm's package onnxruntime-web, as a file or unpacked; without it, the command says how to fetch it",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    check_expected(options)
    from biogpt_onnx.web.description import note_on_tokens
    from biogpt_onnx.web.packing import pack_page

    manifest = pack_page(options.bundle, options.output, options.onnxruntime_web)
    print(f"{options.output}: {note_on_tokens(manifest)} Try it, and open http://127.0.0.1:8000:")
    print(f"python -m http.server --bind 127.0.0.1 --directory {options.output} 8000")
    return 0
