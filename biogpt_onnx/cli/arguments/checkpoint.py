"""Arguments that say what a checkpoint does not say itself."""

import argparse
from typing import Any

from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.runtime.errors import ConfigError


def add_checkpoint_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `open_checkpoint` beside SOURCE."""
    parser.add_argument("--revision", type=non_empty, help="of a hub id: a branch, tag or commit")
    parser.add_argument(
        "--vocabulary", type=non_empty_path, metavar="DIR", help="a folder with the vocabulary's two files"
    )
    parser.add_argument("--seed", type=int, default=0, help="of a preset's random weights (default 0)")
    parser.add_argument(
        "--adapter",
        type=non_empty_path,
        action="append",
        metavar="DIR",
        help="an adapter of PEFT (LoRA) to merge into the weights",
    )
    parser.add_argument("--no-adapter", action="store_true", help="leave an adapter out that lies beside the weights")
    parser.add_argument(
        "--num-heads", type=int, metavar="N", help="of a fairseq file without settings: the number of attention heads"
    )
    parser.add_argument(
        "--no-scale-embedding",
        action="store_true",
        help="of a fairseq file without settings: embeddings are not scaled",
    )


def checkpoint_options(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the keyword arguments of `open_checkpoint` that the options give.

    Raises:
        ConfigError: A value is bad.
    """
    adapters = options.adapter or []
    if len(adapters) > 1:
        raise ConfigError(
            f"--adapter is given {len(adapters)} times: one adapter is merged; merge several with peft first"
        )
    if options.num_heads is not None and options.num_heads < 1:
        raise ConfigError(f"--num-heads is {options.num_heads}: give a whole number of 1 or more")
    return {
        "revision": options.revision,
        "vocabulary": options.vocabulary,
        "seed": options.seed,
        "adapter": adapters[0] if adapters else None,
        "no_adapter": options.no_adapter,
        "num_heads": options.num_heads,
        "scale_embedding": False if options.no_scale_embedding else None,
    }
