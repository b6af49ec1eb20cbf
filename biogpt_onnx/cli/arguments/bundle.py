"""Arguments of the commands that load a bundle."""

import argparse
from typing import get_args

from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.runtime.bundle.digest import check_digest_form, read_expected_manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.options import Device


def add_bundle_argument(parser: argparse.ArgumentParser) -> None:
    """Adds BUNDLE, and the digest that it must have."""
    parser.add_argument(
        "bundle", type=non_empty_path, metavar="BUNDLE", help="a folder that `biogpt-onnx export` wrote"
    )
    add_expect_argument(parser)


def add_expect_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the digest that BUNDLE must have."""
    parser.add_argument(
        "--expect",
        type=_digest,
        metavar="DIGEST",
        help="refuse any bundle but the one with this digest, sha256:..., which `info` prints; reads every file",
    )


def add_expect_argument_of_several(parser: argparse.ArgumentParser) -> None:
    """Adds the digests that several BUNDLEs must have, one for each."""
    parser.add_argument(
        "--expect",
        type=_digest,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIGEST",
        help="refuse any bundles but those with these digests, sha256:..., which `info` prints: one for each BUNDLE, "
        "in their order; reads every file",
    )


def check_each_expected(options: argparse.Namespace) -> None:
    """Compares each BUNDLE with its expected digest, if digests are given.

    Raises:
        ConfigError: There are not as many digests as bundles.
        BundleError: One is another bundle, or one of its files is missing or altered.
    """
    bundles, digests = options.bundles, options.expect
    if digests and len(digests) != len(bundles):
        raise ConfigError(
            f"--expect has {len(digests)} digests and there are {len(bundles)} bundles: give one for each, in their "
            "order"
        )
    for bundle, digest in zip(bundles, digests, strict=False):
        read_expected_manifest(bundle, digest)


def check_expected(options: argparse.Namespace) -> None:
    """Compares BUNDLE with its expected digest, if one is given: for commands that do not load it by `load`.

    Raises:
        BundleError: It is another bundle, or one of its files is missing or altered.
    """
    if options.expect is not None:
        read_expected_manifest(options.bundle, options.expect)


def _digest(text: str) -> str:
    try:
        check_digest_form("the digest", text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def add_memory_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the bound of a sequence's memory, and the option that leaves memory unchecked."""
    _add_positions_argument(parser)
    add_memory_check_argument(parser)


def _add_positions_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the bound of a sequence's memory."""
    parser.add_argument(
        "--max-positions",
        type=int,
        metavar="N",
        help="most tokens of a sequence, the new ones included, which bounds its memory (default: the model's)",
    )


def add_memory_check_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the option that leaves memory unchecked."""
    parser.add_argument(
        "--no-memory-check",
        dest="check_memory",
        action="store_false",
        help="load the bundle and make its caches even where the container's or the machine's memory seems too small",
    )


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the device and the number of threads."""
    parser.add_argument("--device", choices=get_args(Device), default="auto", help="where to run (default auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of one step (default: one a core)")
