"""The recipe `auto`: a bundle whose layers each have the smallest precision that keeps its quality."""

from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.export.exporter import save_model
from biogpt_onnx.quantize.auto.passages import select_passages
from biogpt_onnx.quantize.auto.search import Choice, MixedPrecisionSearch, Report
from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.calibration.calibrate import calibrate
from biogpt_onnx.quantize.calibration.static_scales import scale_texts
from biogpt_onnx.quantize.manifests import with_calibration, with_graph
from biogpt_onnx.quantize.quantizer import finish_bundle, read_source, with_packed_graphs
from biogpt_onnx.runtime.bundle import MODEL_FILE, Manifest
from biogpt_onnx.runtime.bundle.writer import write_bundle
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import open_tokenizer
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.system.files import scratch_folder

MAX_PERPLEXITY_INCREASE = 0.005


def quantize_automatically(  # noqa: PLR0913 -- source, target, quality, and four settings
    source: Path,
    target: Path,
    max_perplexity_increase: float = MAX_PERPLEXITY_INCREASE,
    *,
    texts: Sequence[str] | None = None,
    overwrite: bool = False,
    check_memory: bool = True,
    report: Report | None = None,
) -> tuple[Manifest, Choice]:
    """Searches for the fastest bundle whose quality is sufficient, and writes it.

    A step reads each matrix once and computes little with it, so that the fewest bytes are the fastest. Equal calls on
    one machine make equal bundles.

    Args:
        source: float32 bundle.
        target: new bundle's folder; it appears when everything is written. Until then, a folder beside it takes up to
            1.6 times the space of the source.
        max_perplexity_increase: largest increase of perplexity, as a share of the source's. On the text that is
            searched with, the upper end of the increase's 95 % interval stays within it.
        texts: passages to calibrate and to search with, such as prompts that the model will see; by default the
            built-in ones, which are not among those to evaluate with.
        overwrite: whether a bundle at `target` is replaced.
        check_memory: False to search even where memory seems too small; see `LoadOptions`.
        report: called as work proceeds.

    Returns:
        The new bundle's manifest, and the choice that the search made.

    Raises:
        BundleError: the source is missing, damaged, quantized already or holds NaN or infinity; or something else lies
            at `target`, or it cannot be written.
        ConfigError: there are fewer than two texts to search with, `max_perplexity_increase` is negative or NaN, or the
            bundle has a classification head.
        BuiltInTextError: a built-in text is missing or damaged.
    """
    if not max_perplexity_increase >= 0:
        raise ConfigError(f"max_perplexity_increase is {max_perplexity_increase!r}: give a share such as 0.005")
    report = report or _silent
    manifest, weights = read_source(source, target), BundleWeights(source)
    if manifest.head is not None:
        raise ConfigError(
            f"recipe auto searches by perplexity, which a bundle with a {manifest.head.kind} head does not have: take "
            "int8 or int4"
        )
    architecture = manifest.architecture
    passages = select_passages(open_tokenizer(source, manifest), scale_texts(texts), architecture.max_positions)
    with write_bundle(target, overwrite=overwrite, inputs=(source,)) as writer:
        weights.check_finite()
        calibration = calibrate(source, manifest, weights, texts)
        # Beside the bundle's own files: on Windows, what the model still maps stays until the process ends.
        with scratch_folder("search-", writer.folder.parent) as scratch:
            pool = WeightPool(scratch, manifest, calibration, LoadOptions(check_memory=check_memory))
            choice = MixedPrecisionSearch(source, pool, passages, max_perplexity_increase, report).choice()
            model = pool.model(choice.recipe)
            save_model(model, writer.folder / MODEL_FILE, lambda *step: report("writing weights", *step))
            made = with_packed_graphs(with_graph(manifest, model), choice.recipe, writer.folder, calibration.static)
            made = with_calibration(made, texts)
        return finish_bundle(writer, source, made, choice.recipe), choice


def check_apart(texts: Sequence[str] | None, evaluation_texts: Sequence[str]) -> None:
    """Refuses to evaluate on text that was searched with, because the result would not hold for other text.

    Args:
        texts: texts to search with; None for the built-in ones.
        evaluation_texts: texts to evaluate with.

    Raises:
        ConfigError: some texts are among both; gives their number.
    """
    searched = {text.strip() for text in scale_texts(texts)}
    shared = sum(text.strip() in searched for text in evaluation_texts)
    if shared:
        raise ConfigError(
            f"{shared} of {len(evaluation_texts)} documents to evaluate with are searched with too, and would prove "
            "nothing: give --text, or --calibration, other text"
        )


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
