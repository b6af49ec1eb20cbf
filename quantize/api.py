"""The public function of this package that makes a bundle smaller, in one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from biogpt_onnx.quantize import quantizer
from biogpt_onnx.quantize.auto.automatic import MAX_PERPLEXITY_INCREASE, check_apart, quantize_automatically
from biogpt_onnx.quantize.auto.search import Choice, Report
from biogpt_onnx.quantize.data.texts import evaluation_texts
from biogpt_onnx.quantize.evaluate.head_evaluation import HeadEvaluation
from biogpt_onnx.quantize.evaluate.quality_gate import record_head_evaluation, run_quality_gate
from biogpt_onnx.quantize.evaluate.report import Evaluation
from biogpt_onnx.quantize.recipes import (
    BLOCK_SIZE,
    FLOAT32_CACHE,
    NEAREST,
    RECIPES,
    Recipe,
    check_cache,
    check_rounding,
    with_block_size,
)
from biogpt_onnx.runtime.backends.registry import choose_backend
from biogpt_onnx.runtime.bundle import Manifest, read_manifest
from biogpt_onnx.runtime.bundle.target import check_target, refuse_inputs
from biogpt_onnx.runtime.errors import ConfigError, ProviderError
from biogpt_onnx.runtime.ort.providers import import_onnxruntime

AUTOMATIC = "auto"
"""The recipe that is searched for each bundle."""


@dataclass(frozen=True)
class Quantization:
    """What `quantize_bundle` wrote, and how it compares.

    Attributes:
        manifest: The new bundle's manifest.
        max_perplexity_increase: Largest increase of perplexity that passes; None for a classifier, which has no limit.
        evaluation: The comparison with the original, which the bundle records; None if it was left out.
        choice: What the recipe "auto" chose; None for other recipes.
    """

    manifest: Manifest
    max_perplexity_increase: float | None
    evaluation: Evaluation | HeadEvaluation | None
    choice: Choice | None

    @property
    def passed(self) -> bool:
        """False if the comparison was made and perplexity grew by more than allowed; the bundle stays nevertheless."""
        if not isinstance(self.evaluation, Evaluation) or self.max_perplexity_increase is None:
            return True
        return self.evaluation.passed(self.max_perplexity_increase)

    def table(self) -> str:
        """Returns the comparison as lines of text; no text if it was left out."""
        if isinstance(self.evaluation, Evaluation):
            return self.evaluation.table(self.max_perplexity_increase)
        return "" if self.evaluation is None else self.evaluation.table()


Written = Callable[[Quantization], None]
"""Called with a bundle that is written and not compared yet."""


def quantize_bundle(  # noqa: PLR0913 -- source, target, recipe, and what it is made and judged with
    bundle: str | Path,
    output: str | Path,
    recipe: str = "int8",
    *,
    cache: str = FLOAT32_CACHE,
    rounding: str = NEAREST,
    block_size: int | None = None,
    calibration: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    max_perplexity_increase: float | None = None,
    evaluation: bool = True,
    overwrite: bool = False,
    check_memory: bool = True,
    report: Report | None = None,
    written: Written | None = None,
) -> Quantization:
    """Makes a smaller bundle of a float32 one, compares the two and records the comparison in the new bundle.

    The bundle appears when everything is written, and not at all if that fails. One that misses its limit stays;
    `Quantization.passed` tells.

    Args:
        bundle: Folder of the float32 bundle.
        output: Folder to make.
        recipe: Name of the recipe, such as "int8", "int4" or "auto".
        cache: Type of the keys and values over which sequences step on the CPU: "float32", or "int8" for recipes int8,
            int8-weights and int4 of language models.
        rounding: Rounding of 4-bit weights: "nearest", or "gptq" for recipes int4 and int8-int4: the weights of a row
            make up for each other's errors on the calibration text. The same size and speed, answers nearer to the
            float32 bundle's; the bundle's bytes then differ a little between kinds of processors.
        block_size: Number of 4-bit weights that share a scale, for recipes int4 and int8-int4: 32, 64 or 128; None for
            the recipe's own, 128. The smaller, the nearer to the float32 bundle's answers, and the larger the bundle.
        calibration: Passages such as the model will see, with which "auto" also searches; None for built-in ones.
        texts: Documents to compare with; None for built-in ones.
        max_perplexity_increase: Largest increase of perplexity that passes, as a share; None for the recipe's own. It
            is also what "auto" may spend. For language models alone.
        evaluation: False to leave the comparison out.
        overwrite: Replaces the bundle that stands at `output`.
        check_memory: False to load bundles and make caches even where memory seems too small; see `load`.
        report: Called with a stage's name and its numbers of steps, done and all.
        written: Called when the bundle is written, before it is compared.

    Raises:
        BundleError: The bundle is missing, damaged or quantized already, or `output` is something else, or is or holds
            the bundle, or cannot be written.
        BuiltInTextError: A built-in text is missing or damaged.
        ConfigError: There is no such recipe, it does not have such a cache or such blocks, or a setting is bad.
        PromptError: All texts are empty.
        ProviderError: The result could not be run here for the comparison.
    """
    source, target = Path(bundle), Path(output)
    known = _recipe(recipe, cache, rounding, block_size)
    refuse_inputs(target, (source,))
    check_target(target, overwrite=overwrite)
    head = read_manifest(source).head
    if head is not None and max_perplexity_increase is not None:
        raise ConfigError(
            "max_perplexity_increase or --max-perplexity-increase is for language models, the bundle has a "
            f"{head.kind} head: leave it out"
        )
    most = max_perplexity_increase
    if most is None:
        most = MAX_PERPLEXITY_INCREASE if known is None else known.max_perplexity_increase
    if evaluation:
        _check_evaluation(known, calibration, texts)
    report = report or _silent
    choice = None
    if known is None:
        manifest, choice = quantize_automatically(
            source,
            target,
            most,
            texts=calibration,
            overwrite=overwrite,
            check_memory=check_memory,
            report=report,
        )
    else:
        manifest = quantizer.quantize_bundle(
            source,
            target,
            known,
            texts=calibration,
            overwrite=overwrite,
            check_memory=check_memory,
            progress=partial(report, "writing weights"),
        )
    limit = None if head is not None else most
    done = Quantization(manifest, limit, None, choice)
    if written is not None:
        written(done)
    if not evaluation:
        return done
    settings = {"texts": texts, "check_memory": check_memory, "progress": partial(report, "evaluating")}
    return replace(done, evaluation=_recorded(target, source, limit, settings))


def _recipe(name: str, cache: str, rounding: str, block_size: int | None) -> Recipe | None:
    """Returns the recipe of a name with these settings; None for "auto", whose recipe is yet to be found."""
    if name in RECIPES:
        recipe = with_block_size(replace(RECIPES[name], cache=cache, rounding=rounding), block_size)
        check_cache(recipe)
        check_rounding(recipe)
        return recipe
    if name != AUTOMATIC:
        raise ConfigError(f"recipe is {name!r}: choose one of {', '.join([*RECIPES, AUTOMATIC])}")
    if cache != FLOAT32_CACHE:
        raise ConfigError(f"recipe {name} has a float32 cache only, cache is {cache!r}: leave it out")
    if rounding != NEAREST:
        raise ConfigError(f"recipe {name} rounds to the nearest only, rounding is {rounding!r}: leave it out")
    if block_size is not None:
        raise ConfigError(f"recipe {name} has blocks of {BLOCK_SIZE} only, block_size is {block_size!r}: leave it out")
    return None


def _check_evaluation(recipe: Recipe | None, calibration: Sequence[str] | None, texts: Sequence[str] | None) -> None:
    """Refuses a comparison that could not be made, before anything is written."""
    if recipe is None:
        check_apart(calibration, evaluation_texts() if texts is None else texts)
        return
    try:
        choose_backend(import_onnxruntime(), "auto", recipe.precision)
    except ProviderError as error:
        raise ProviderError(
            f"{error}; or leave out the comparison (evaluation=False, on the command line --no-evaluation)"
        ) from error


def _recorded(
    target: Path, source: Path, limit: float | None, settings: Mapping[str, Any]
) -> Evaluation | HeadEvaluation:
    if limit is None:
        return record_head_evaluation(target, source, **settings)
    return run_quality_gate(target, source, limit, **settings)


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
