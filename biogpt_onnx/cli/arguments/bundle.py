"""Arguments of the commands that load a bundle."""

import argparse
from typing import get_args

from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.runtime.options import Device


def add_bundle_argument(parser: argparse.ArgumentParser) -> None:
    """Adds BUNDLE."""
    parser.add_argument(
        "bundle", type=non_empty_path, metavar="BUNDLE", help="a folder that `biogpt-onnx export` wrote"
    )


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the device and the number of threads."""
    parser.add_argument("--device", choices=get_args(Device), default="auto", help="where to run (default auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of one step (default: one a core)")
