"""The recipe `auto`: a bundle with each layer as small as the model's answers allow."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.export.exporter import save_model
from biogpt_onnx.quantize.auto.passages import search_passages
from biogpt_onnx.quantize.auto.search import Choice, MixtureSearch, Report
from biogpt_onnx.quantize.auto.weight_pool import WeightPool
from biogpt_onnx.quantize.bundle_weights import BundleWeights
from biogpt_onnx.quantize.data.texts import calibration_texts, search_texts
from biogpt_onnx.quantize.quantizer import finish_bundle, read_source, smoothed_weights
from biogpt_onnx.runtime.bundle import MODEL_FILE, Manifest
from biogpt_onnx.runtime.bundle.writer import write_bundle
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import open_tokenizer

MAX_PERPLEXITY_INCREASE = 0.005


def quantize_automatically(  # noqa: PLR0913 -- what, where to, how good, and three settings
    source: Path,
    target: Path,
    max_perplexity_increase: float = MAX_PERPLEXITY_INCREASE,
    *,
    texts: Sequence[str] | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> tuple[Manifest, Choice]:
    """Searches for the fastest bundle that is good enough, and writes it.

    A step reads each matrix once and computes little with it, so that the fewest bytes are the fastest. Equal calls on
    one machine make equal bundles.

    Args:
        source: a float32 bundle.
        target: the new bundle's folder; it appears when everything is written. Until then, a folder beside it takes up
            to 1.6 times the room of the source.
        max_perplexity_increase: by how much perplexity may grow, as a share of the source's. On the text that is
            searched with, the upper end of the growth's interval stays within it.
        texts: what to calibrate and to search with, such as the prompts that the model will see; by default a built-in
            text, on which no bundle is evaluated.
        overwrite: whether a bundle that stands at `target` is replaced.
        report: called as work proceeds.

    Raises:
        BundleError: the source is missing, damaged, quantized already or holds NaN or infinity; or the target stands
            in the way or cannot be written.
        ConfigError: there are fewer than two texts to search with, or the allowed growth is negative or no number.
    """
    if not max_perplexity_increase >= 0:
        raise ConfigError(f"max_perplexity_increase is {max_perplexity_increase!r}: give a share such as 0.005")
    searched = _texts_to_search_with(texts)
    report = report or _silent
    manifest, weights = read_source(source, target), BundleWeights(source)
    architecture = manifest.architecture
    passages = search_passages(open_tokenizer(source, manifest), searched, architecture.max_positions)
    with write_bundle(target, overwrite=overwrite) as writer:
        weights.check_finite()
        read = smoothed_weights(source, architecture, weights, texts)
        with tempfile.TemporaryDirectory(prefix="search-", dir=writer.folder) as scratch:
            pool = WeightPool(Path(scratch), manifest, read)
            choice = MixtureSearch(source, pool, passages, max_perplexity_increase, report).choice()
            model = pool.model(choice.recipe)
            save_model(model, writer.folder / MODEL_FILE, lambda *step: report("writing weights", *step))
        return finish_bundle(writer, source, manifest, choice.recipe), choice


def check_apart(texts: Sequence[str] | None, evaluation_texts: Sequence[str]) -> None:
    """Refuses to evaluate on what was searched with: the result would say nothing of other text.

    Args:
        texts: what to search with; None for the built-in text.
        evaluation_texts: what the result is to be evaluated on.

    Raises:
        ConfigError: says how many texts are among both.
    """
    searched = {text.strip() for text in _texts_to_search_with(texts)}
    shared = sum(text.strip() in searched for text in evaluation_texts)
    if shared:
        raise ConfigError(
            f"{shared} of {len(evaluation_texts)} documents to evaluate with are searched with too, and would prove "
            "nothing: give --text, or --calibration, other text"
        )


def _texts_to_search_with(texts: Sequence[str] | None) -> Sequence[str]:
    # The more text, the less of the allowed growth is lost to chance.
    return calibration_texts() + search_texts() if texts is None else texts


def _silent(_what: str, _done: int, _total: int) -> None:
    pass
