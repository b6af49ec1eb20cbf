"""Arguments that configure generation."""

import argparse
from typing import Any

from biogpt_onnx.runtime.decoding.config import GenerationConfig

_NUMBERS: dict[str, tuple[type, str, str]] = {
    "max_new_tokens": (int, "N", "most new tokens (default 64)"),
    "min_new_tokens": (int, "N", "fewest new tokens (default 0)"),
    "max_length": (int, "N", "most tokens of prompt and text together, instead of --max-new-tokens"),
    "min_length": (int, "N", "fewest tokens of prompt and text together, instead of --min-new-tokens"),
    "max_time": (float, "SECONDS", "end with what there is after so long"),
    "num_beams": (int, "N", "search with so many beams (default 1, which is greedy)"),
    "num_return_sequences": (int, "N", "print so many beams or samples (default 1)"),
    "length_penalty": (float, "X", "beams: above 0 favours long texts, below 0 short ones (default 1)"),
    "seed": (int, "N", "sampling: the same seed gives the same text"),
    "temperature": (float, "X", "sampling: below 1 more likely tokens, above 1 more surprising ones (default 1)"),
    "top_k": (int, "N", "sampling: from the N likeliest tokens (default 0, all)"),
    "top_p": (float, "P", "sampling: from the likeliest tokens that make up this probability (default 1, all)"),
    "min_p": (float, "P", "sampling: from tokens at least P times as likely as the likeliest (default 0, all)"),
    "typical_p": (float, "P", "sampling: from the most typical tokens that make up this probability (default 1, all)"),
    "epsilon_cutoff": (float, "P", "sampling: from tokens of at least this probability (default 0, all)"),
    "eta_cutoff": (float, "P", "sampling: the same, lower where much is possible (default 0, all)"),
    "repetition_penalty": (float, "X", "above 1 makes tokens that have appeared less likely (default 1)"),
    "presence_penalty": (float, "X", "above 0 makes tokens of the new text less likely; -2 to 2 (default 0)"),
    "frequency_penalty": (float, "X", "the same for each time that they appeared; -2 to 2 (default 0)"),
    "no_repeat_ngram_size": (int, "N", "no N tokens appear twice in the same order (default 0, no such rule)"),
    "prompt_lookup_num_tokens": (
        int,
        "N",
        "guess up to N tokens at a time from the prompt; the text stays the same, copied text comes faster (default 0)",
    ),
    "max_matching_ngram_size": (int, "N", "guesses follow up to N tokens that appeared before (default 3)"),
    "logprobs": (int, "N", "with --json: the N most probable tokens at the place of each new one (default 0, none)"),
}


def add_generation_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds an option for each setting of `GenerationConfig` that a command line can give."""
    group = parser.add_argument_group("how to continue", argument_default=argparse.SUPPRESS)
    for name, (kind, placeholder, text) in _NUMBERS.items():
        group.add_argument(_option(name), type=kind, metavar=placeholder, help=text)
    group.add_argument("--do-sample", action="store_true", help="draw tokens at random")
    group.add_argument(
        "--early-stopping",
        choices=["false", "true", "never"],
        help="beams: stop when a better text is unlikely (false, the default), when there are enough, or when none can "
        "be better",
    )
    group.add_argument(
        "--stop", dest="stop_strings", action="append", metavar="TEXT", help="end before this text; repeatable"
    )
    group.add_argument(
        "--truncation",
        choices=["error", "left", "right"],
        help="what to do with a prompt that is too long (default error)",
    )
    group.add_argument("--special-tokens", action="store_true", help="read </s> and the like as special tokens")
    group.add_argument("--normalize-punctuation", action="store_true", help="read typographic punctuation as ASCII")


def generation_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the settings of `GenerationConfig` that the options give, by name."""
    names = GenerationConfig.__dataclass_fields__
    settings: dict[str, Any] = {name: value for name, value in vars(options).items() if name in names}
    if "early_stopping" in settings:
        early_stopping = settings["early_stopping"]
        settings["early_stopping"] = early_stopping if early_stopping == "never" else early_stopping == "true"
    return settings


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
