"""The command `quantize`: makes a smaller bundle of a float32 one."""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from biogpt_onnx.cli.arguments.text import documents, share
from biogpt_onnx.cli.layer_precisions import precisions_line, precisions_table
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.target import check_target, refuse_inputs
from biogpt_onnx.runtime.errors import BundleError, ConfigError, ProviderError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

if TYPE_CHECKING:
    from biogpt_onnx.quantize.auto.search import Choice
    from biogpt_onnx.runtime.bundle import Manifest

AUTOMATIC = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a float32 bundle that `biogpt-onnx export` wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="int8: 8-bit weights and activations; int8-weights: 8-bit weights; int4: 4-bit weights; auto: each layer "
        "as small as --max-perplexity-increase allows; fp16, bf16: half precision, for GPUs; int8-dynamic: ONNX "
        "Runtime's own, to compare with",
    )
    parser.add_argument(
        "--calibration",
        metavar="FILE",
        help="text such as the model will see, a passage a line, which auto also searches with; by default a built-in "
        "one",
    )
    parser.add_argument(
        "--text", metavar="FILE", help="text to evaluate the result with, a document a line; by default a built-in one"
    )
    parser.add_argument(
        "--max-perplexity-increase",
        type=share,
        metavar="SHARE",
        help="exit with 1 where perplexity grew by more (default 0.5%%, 5%% for int4); the bundle stays",
    )
    parser.add_argument("--no-evaluation", action="store_true", help="do not compare the result with the original")
    parser.add_argument("--overwrite", action="store_true", help="replace the bundle that stands there")


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if the result was written but is worse than allowed."""
    try:
        # Imported here, as the runtime's commands must not need what only quantization needs.
        from biogpt_onnx.quantize.auto.automatic import MAX_PERPLEXITY_INCREASE
        from biogpt_onnx.quantize.evaluate.quality_gate import record_head_evaluation, run_quality_gate
        from biogpt_onnx.quantize.quantizer import quantize_bundle
        from biogpt_onnx.quantize.recipes import RECIPES
    except ImportError as error:
        raise BundleError(f'quantize needs more packages ({error}): pip install "biogpt-onnx[export]"') from error
    recipe = RECIPES.get(options.recipe)
    if recipe is None and options.recipe != AUTOMATIC:
        raise ConfigError(f"recipe is {options.recipe!r}: choose one of {', '.join([*RECIPES, AUTOMATIC])}")
    texts_read = [Path(name) for name in (options.calibration, options.text) if name is not None]
    refuse_inputs(options.output, (options.bundle, *texts_read))
    check_target(options.output, overwrite=options.overwrite)
    calibration, texts = (None if name is None else documents(name) for name in (options.calibration, options.text))
    most = options.max_perplexity_increase
    head = read_manifest(options.bundle).head
    if head is not None and most is not None:
        raise ConfigError(
            f"--max-perplexity-increase is for language models, the bundle has a {head.kind} head: leave it out"
        )
    if most is None:
        most = MAX_PERPLEXITY_INCREASE if recipe is None else recipe.max_perplexity_increase
    if recipe is None:
        _quantize_automatically(options, calibration, texts, most)
    else:
        if not options.no_evaluation:
            _check_runnable(recipe.precision)
        with Progress("writing weights") as progress:
            manifest = quantize_bundle(
                options.bundle,
                options.output,
                recipe,
                texts=calibration,
                overwrite=options.overwrite,
                progress=progress,
            )
        print(_made(options.output, manifest), flush=True)
    if options.no_evaluation:
        return 0
    if head is not None:
        with Progress("evaluating") as progress:
            print(record_head_evaluation(options.output, options.bundle, texts=texts, progress=progress).table())
        return 0
    with Progress("evaluating") as progress:
        evaluation = run_quality_gate(options.output, options.bundle, most, texts=texts, progress=progress)
    print(evaluation.table(most))
    return 0 if evaluation.passed(most) else 1


def _check_runnable(precision: str) -> None:
    # The comparison runs the result, so this is checked before anything is written.
    try:
        choose_backend(import_onnxruntime(), "auto", precision)
    except ProviderError as error:
        raise ProviderError(f"{error}; or leave out the comparison with --no-evaluation") from error


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


def _quantize_automatically(
    options: argparse.Namespace, calibration: Sequence[str] | None, texts: Sequence[str] | None, most: float
) -> None:
    from biogpt_onnx.quantize.auto.automatic import check_apart, quantize_automatically
    from biogpt_onnx.quantize.data.texts import evaluation_texts

    if not options.no_evaluation:
        check_apart(calibration, evaluation_texts() if texts is None else texts)
    with ExitStack() as stack:
        manifest, choice = quantize_automatically(
            options.bundle,
            options.output,
            most,
            texts=calibration,
            overwrite=options.overwrite,
            report=_Stages(stack),
        )
    print(_made(options.output, manifest), _chosen(manifest, choice, most), sep="\n", end="\n\n", flush=True)


def _made(output: Path, manifest: "Manifest") -> str:
    return f"{output}: {manifest.recipe} bundle of {manifest.source}, {manifest.num_bytes / 1e6:,.1f} MB"


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
