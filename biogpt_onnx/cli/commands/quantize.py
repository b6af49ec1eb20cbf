"""The command `quantize`: makes a smaller bundle of a float32 one."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from biogpt_onnx.cli.arguments.bundle import add_expect_argument, add_memory_check_argument, check_expected
from biogpt_onnx.cli.arguments.names import non_empty, non_empty_path
from biogpt_onnx.cli.arguments.text import documents, share
from biogpt_onnx.cli.layer_precisions import precisions_line, precisions_table
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.bundle.target import refuse_inputs

if TYPE_CHECKING:
    from biogpt_onnx.quantize import Quantization
    from biogpt_onnx.quantize.auto.search import Choice
    from biogpt_onnx.runtime.bundle import Manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "bundle", type=non_empty_path, metavar="BUNDLE", help="a float32 bundle that `biogpt-onnx export` wrote"
    )
    add_expect_argument(parser)
    parser.add_argument("-o", "--output", type=non_empty_path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="int8: 8-bit weights and activations; int8-weights: 8-bit weights; int4: 4-bit weights; int8-int4: text "
        "is read as by int8 and generated as by int4; auto: each layer as small as --max-perplexity-increase allows; "
        "fp16, bf16: half precision, for GPUs; int8-dynamic: ONNX Runtime's own, to compare with",
    )
    parser.add_argument(
        "--cache",
        type=non_empty,
        default="float32",
        metavar="TYPE",
        help="float32 (the default); int8: sequences step over keys and values in 8 bits, for recipes int8, "
        "int8-weights and int4 on the CPU: less memory and faster steps behind long texts and in batches",
    )
    parser.add_argument(
        "--rounding",
        type=non_empty,
        default="nearest",
        metavar="WAY",
        help="of 4-bit weights: nearest (the default); gptq: the weights of a row make up for each other's errors on "
        "the calibration text, for recipes int4 and int8-int4: nearer to float32 at the same size and speed",
    )
    parser.add_argument(
        "--block-size",
        type=int,
        metavar="N",
        help="number of 4-bit weights that share a scale, for recipes int4 and int8-int4: 32, 64 or 128 (the default); "
        "the smaller, the nearer to float32, and the larger the bundle",
    )
    parser.add_argument(
        "--calibration",
        type=non_empty,
        metavar="FILE",
        help="text such as the model will see, a passage a line, from which outliers and scales of activations are "
        "known, and with which auto also searches; by default a built-in one",
    )
    parser.add_argument(
        "--text",
        type=non_empty,
        metavar="FILE",
        help="text to evaluate the result with, a document a line; by default a built-in one",
    )
    parser.add_argument(
        "--max-perplexity-increase",
        type=share,
        metavar="SHARE",
        help="exit with 1 where perplexity grew by more (default 0.5%%, 5%% for int4 and int8-int4); the bundle stays",
    )
    parser.add_argument("--no-evaluation", action="store_true", help="do not compare the result with the original")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")
    add_memory_check_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if the result was written but is worse than allowed."""
    # Imported here, as the runtime's commands must not need what only quantization needs.
    from biogpt_onnx.quantize import quantize_bundle

    check_expected(options)
    named = (options.calibration, options.text)
    refuse_inputs(options.output, [Path(name) for name in named if name is not None])
    calibration, texts = (None if name is None else documents(name) for name in named)
    with ExitStack() as stack:
        stages = _Stages(stack)

        def written(found: "Quantization") -> None:
            stages.end()
            _print_written(options.output, found)

        done = quantize_bundle(
            options.bundle,
            options.output,
            options.recipe,
            cache=options.cache,
            rounding=options.rounding,
            block_size=options.block_size,
            calibration=calibration,
            texts=texts,
            max_perplexity_increase=options.max_perplexity_increase,
            evaluation=not options.no_evaluation,
            overwrite=options.overwrite,
            check_memory=options.check_memory,
            report=stages,
            written=written,
        )
    if table := done.table():
        print(table)
    return 0 if done.passed else 1


class _Stages:
    """Progress lines for several stages of work, one after the other."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._what, self._line = "", Progress("")

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._stack.close()
            self._what, self._line = what, self._stack.enter_context(Progress(what))
        self._line(done, total)

    def end(self) -> None:
        """Removes the line."""
        self._stack.close()
        self._what = ""


def _print_written(output: Path, found: "Quantization") -> None:
    manifest = found.manifest
    size = f"{manifest.num_bytes / 1e6:,.1f} MB"
    print(f"{output}: {manifest.recipe} bundle of {manifest.source}, {size}", flush=True)
    if found.choice is not None:
        print(_chosen(manifest, found.choice, found.max_perplexity_increase or 0.0), end="\n\n", flush=True)


def _chosen(manifest: "Manifest", choice: "Choice", most: float) -> str:
    precisions = manifest.layer_precisions or {}
    share = choice.bytes_a_step / choice.float32_bytes_a_step
    lines = [
        f"chosen: {precisions_line(precisions)}",
        f"a step reads {choice.bytes_a_step / 1e6:,.1f} MB of matrices, {share:.2f} x float32",
    ]
    if choice.perplexity_increase is not None:
        increase = choice.perplexity_increase
        lines.append(
            f"on the text that was searched with, perplexity {increase.value:+.3%}, at most "
            f"{increase.upper_bound:+.3%}; mixtures measured: {choice.num_measured}"
        )
    # A small text supports only a weak bound, however good the bundle.
    more = "; more text to search with may allow more" if most else ""
    if not set(precisions.values()) - {"fp32"}:
        lines.append(f"nothing can be quantized within {most:.3%}: the bundle is float32 throughout{more}")
    elif "fp32" in precisions.values():
        lines.append(f"within {most:.3%} only this can be quantized: the rest stays in float32{more}")
    return "\n".join([*lines, "", precisions_table(precisions)])
