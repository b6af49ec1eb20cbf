"""Arguments of programs that serve a model over HTTP: who may call, how much is let in, and the log."""

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING

from biogpt_onnx.cli.arguments.bundle import add_memory_arguments
from biogpt_onnx.cli.arguments.names import non_empty

if TYPE_CHECKING:
    from biogpt_onnx.server.settings import ServerSettings


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that do not depend on what listens for requests."""
    parser.add_argument(
        "--allow-host",
        type=non_empty,
        action="append",
        default=[],
        metavar="NAME",
        help="a name that clients may call; repeatable",
    )
    parser.add_argument(
        "--allow-origin",
        type=non_empty,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="pages of it may call; repeatable",
    )
    parser.add_argument(
        "--model-name", type=non_empty, metavar="NAME", help="the model's name (default: that of the bundle's folder)"
    )
    parser.add_argument(
        "--task",
        type=non_empty,
        action="append",
        default=[],
        metavar="TASK",
        help="offer this task too, a TOML file that defines it; repeatable (the built-in ones that the bundle can do "
        "are always there)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of one step (default: one a core)")
    add_memory_arguments(parser)
    _add_bounds(parser)
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="form of the log (default text)")
    parser.add_argument("--no-page", action="store_true", help="do not serve the page at /")


def server_settings(options: argparse.Namespace) -> "ServerSettings":
    """Returns the settings that the arguments say.

    Raises:
        ConfigError: a value is bad.
    """
    from biogpt_onnx.server.settings import ServerSettings

    by_name = {
        field.name: getattr(options, field.name) for field in fields(ServerSettings) if hasattr(options, field.name)
    }
    return ServerSettings(
        **by_name,
        allowed_hosts=tuple(options.allow_host),
        allowed_origins=tuple(options.allow_origin),
        has_page=not options.no_page,
    )


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    bounds = parser.add_argument_group("bounds")
    for option, default, unit, text in (
        ("--max-rows", 8, int, "sequences that are continued at a time; further ones wait"),
        ("--max-waiting", 64, int, "sequences that wait; requests beyond get status 429"),
        ("--max-prompts", 64, int, "sequences that a request may ask for"),
        ("--max-body-bytes", 1_000_000, int, "bytes of a request"),
        ("--max-header-bytes", 16_384, int, "bytes of a request's headers"),
        ("--max-connections", 512, int, "connections at a time"),
        ("--receive-seconds", 10.0, float, "time within which a request must have come"),
        ("--answer-seconds", 300.0, float, "time after which an answer is ended"),
        ("--drain-seconds", 30.0, float, "time that running requests get after the signal to end"),
    ):
        bounds.add_argument(option, type=unit, default=default, metavar="N", help=f"{text} (default {default:g})")
