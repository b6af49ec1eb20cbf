"""The command `generate`: continues prompts."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import cast

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument, add_memory_arguments, add_session_arguments
from biogpt_onnx.cli.arguments.generation import add_generation_arguments, generation_settings
from biogpt_onnx.cli.arguments.text import BinaryStream, numbered_blocks
from biogpt_onnx.cli.interruption import noting_interruption
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.files.formats import STANDARD_INPUT
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BioGptError, ConfigError, PromptError
from biogpt_onnx.runtime.generation_defaults import config_with_defaults, default_settings
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.results import Generation

_Prompt = tuple[int | None, str]
"""A prompt with its line of standard input; None for an argument."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_bundle_argument(parser)
    parser.add_argument(
        "prompts",
        nargs="*",
        metavar="PROMPT",
        help='texts to continue; without any, or for "-", one a line from standard input, empty lines skipped',
    )
    parser.add_argument("--no-prompt", action="store_true", help="begin a text from nothing, instead of a PROMPT")
    add_generation_arguments(parser)
    parser.add_argument(
        "--allowed", action="append", metavar="TEXT", help="the new text must be one of these texts; repeatable"
    )
    parser.add_argument(
        "--ignore-generation-config",
        action="store_true",
        help="do not decode as the checkpoint's authors chose, which `info` shows",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a JSON object a line: text, tokens, score, why it ended, number of tokens, timings",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="prompts that are continued together, of those that are there (default 8, on a GPU 32; one on a terminal "
        "and with --timings or --max-time)",
    )
    parser.add_argument("--timings", action="store_true", help="say on standard error how fast each answer was")
    parser.add_argument(
        "--prepack",
        action=argparse.BooleanOptionalAction,
        help="rearrange the weights first: slow to start, then faster with long prompts, beams and drafts (by default "
        "only for the last two)",
    )
    parser.add_argument(
        "--share-weights",
        action="store_true",
        help="keep rearranged weights in a cache ($BIOGPT_ONNX_CACHE) that processes share, and start faster the next "
        "time; takes twice the bundle's disk space",
    )
    add_session_arguments(parser)
    add_memory_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; prints the answers in the order of the prompts, those of a batch as soon as it is done."""
    defaults = {} if options.ignore_generation_config else default_settings(read_manifest(options.bundle))
    config = config_with_defaults(defaults, generation_settings(options))
    prompts = _prompts(options)
    if config.logprobs and not options.json:
        raise ConfigError("--logprobs is shown in JSON alone: add --json, or leave it out")
    _check_batch_size(options, config)
    prepack = options.prepack
    if prepack is None:
        prepack = options.share_weights or config.num_beams > 1 or config.prompt_lookup_num_tokens > 0
    model = load(
        options.bundle,
        device=options.device,
        threads=options.threads,
        prepack=prepack,
        share_weights=options.share_weights,
        warm_up=False,
        expect=options.expect,
        max_positions=options.max_positions,
        check_memory=options.check_memory,
    )
    size = _batch_size(options, config, model)
    if prompts:
        _answer_all(model, options, config, _arguments(prompts, size), len(prompts))
    else:
        _answer_all(model, options, config, _lines(size))
    return 0


def _prompts(options: argparse.Namespace) -> list[str]:
    """Returns the prompts that are given as arguments; none for those of standard input.

    Raises:
        PromptError: A prompt is empty, as where a shell's variable is not set, or there is none at all.
    """
    prompts: list[str] = options.prompts
    if options.no_prompt:
        if prompts:
            raise ConfigError("--no-prompt begins a text from nothing: leave it out, or the prompt")
        return [""]
    if STANDARD_INPUT in prompts:
        if len(prompts) > 1:
            raise PromptError('"-" stands for the lines of standard input: give it alone, or leave it out')
        return []
    for number, prompt in enumerate(prompts, start=1):
        if not prompt.strip():
            which = f"prompt {number} of {len(prompts)}" if len(prompts) > 1 else "the prompt"
            raise PromptError(f"{which} is empty: give a text, or say --no-prompt for one that begins from nothing")
    if not prompts and sys.stdin.isatty():
        raise PromptError("no prompt: give one as an argument, or lines on standard input")
    return prompts


def _check_batch_size(options: argparse.Namespace, config: GenerationConfig) -> None:
    size = options.batch_size
    if size is None:
        return
    if size < 1:
        raise ConfigError(f"--batch-size is {size}: give a whole number of 1 or more")
    for option, given in (("--timings", options.timings), ("--max-time", config.max_time is not None)):
        if given and size > 1:
            raise ConfigError(f"{option} is about one answer at a time: leave it out, or --batch-size {size}")


def _batch_size(options: argparse.Namespace, config: GenerationConfig, model: BioGPT) -> int:
    """Returns the most prompts that are continued together."""
    if options.batch_size is not None:
        return int(options.batch_size)
    # The prompts of a batch share their time.
    one_at_a_time = sys.stdout.isatty() or options.timings or config.max_time is not None
    return 1 if one_at_a_time else model.default_batch_size


def _answer_all(
    model: BioGPT,
    options: argparse.Namespace,
    config: GenerationConfig,
    batches: Iterable[list[_Prompt]],
    total: int | None = None,
) -> None:
    """Prints the answer to each prompt."""
    on_terminal = sys.stdout.isatty()
    streams = on_terminal and config.num_return_sequences == 1 and not (options.json or options.timings)
    done = 0
    answered: list[int | None] = [None]
    # Answers on the terminal, and their timings, show the progress themselves.
    shown = None if on_terminal or options.timings else Progress("prompts", estimate=True)
    with noting_interruption(lambda: _last_answered(answered[-1])), shown or nullcontext():
        for batch in batches:
            if streams and len(batch) == 1:
                _stream(model, batch[0][1], config, options.allowed)
            else:
                _print_all(model, [prompt for _, prompt in batch], config, options)
            done += len(batch)
            answered[-1] = batch[-1][0]
            if shown is not None:
                shown(done, total)


def _last_answered(line: int | None) -> str | None:
    return None if line is None else f"the prompts up to line {line:,} of standard input are answered"


def _print_all(model: BioGPT, prompts: list[str], config: GenerationConfig, options: argparse.Namespace) -> None:
    answers = model.generate(prompts, config, allowed=options.allowed, on_error="return")
    for prompt, answer in zip(prompts, answers, strict=True):
        # The answers before a prompt without one are not lost.
        if isinstance(answer, BioGptError):
            raise answer
        _print(model, prompt, answer, options)


def _print(model: BioGPT, prompt: str, generation: Generation, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"prompt": prompt} | generation.to_dict(), ensure_ascii=False), flush=True)
    else:
        for hypothesis in generation.sequences:
            print(prompt.rstrip() + hypothesis.text, flush=True)
        _note_dropped(generation)
    if options.timings:
        print(_speed(generation, model.device), file=sys.stderr, flush=True)


def _arguments(prompts: list[str], size: int) -> Iterator[list[_Prompt]]:
    for start in range(0, len(prompts), size):
        yield [(None, prompt) for prompt in prompts[start : start + size]]


def _lines(size: int) -> Iterator[list[_Prompt]]:
    found = False
    for block in numbered_blocks(cast("BinaryStream", sys.stdin.buffer), "standard input", size):
        found = True
        yield [*block]
    if not found:
        raise PromptError("no prompt: standard input holds no text")


def _stream(model: BioGPT, prompt: str, config: GenerationConfig, allowed: list[str] | None) -> None:
    # This refuses bad prompts before anything is printed.
    pieces = model.stream(prompt, config, allowed=allowed)
    print(prompt.rstrip(), end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print(flush=True)
    if pieces.generation is not None:
        _note_dropped(pieces.generation)


def _note_dropped(generation: Generation) -> None:
    if dropped := generation.usage.dropped_tokens:
        print(f"note: {dropped:,} tokens of the prompt were dropped, it is too long", file=sys.stderr, flush=True)


def _speed(generation: Generation, device: str) -> str:
    timings = generation.timings
    text = f"  {len(generation.token_ids)} tokens on {device}, the first after {timings.prefill * 1e3:.1f} ms"
    text += f", then {timings.steps / timings.decode:,.0f} tokens/s" if timings.steps else ""
    captured = f", {timings.captured_steps} of {timings.steps} steps as CUDA graphs"
    return text + (captured if device == "cuda" else "")
