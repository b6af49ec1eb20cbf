"""Evaluation of a bundle at a task: it answers documents whose answers are known, and is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.reporting.progress import Progress
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.loading import load
from biogpt_onnx.runtime.options import Device
from biogpt_onnx.scores.as_published.figures import check_published
from biogpt_onnx.scores.gold import GoldSet, read_gold
from biogpt_onnx.scores.metrics.calibration import Calibration
from biogpt_onnx.scores.reports.task_report import TaskReport, calibrations, report_task
from biogpt_onnx.tasks.document import Document
from biogpt_onnx.tasks.entity_census import EntityCensus
from biogpt_onnx.tasks.prompts.building import WINDOW_TOKENS, Reading, TooLong
from biogpt_onnx.tasks.registry import evaluated_specs, spec_of_bundle, task_spec
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.running import RunnableTask, check_task, combined, prompts_for
from biogpt_onnx.tasks.spec import SpecifiedTask, TaskSpec


@dataclass(frozen=True)
class TaskEvaluation:
    """The scores of a bundle at a task.

    Attributes:
        task: The task's name.
        report: The metrics beside baselines and perhaps another bundle, of the task's own kind.
        reading: Numbers of documents: all (`documents`), those that were read in part (`cut`), answers that ended for
            want of room (`incomplete`) or that were partly not understood (`with_unparsed`), and those whose conclusion
            was shown (`with_conclusion`).
        problem: What is wrong with the entities that the gold names, if none is of a type of the task.
    """

    task: str
    report: TaskReport
    reading: Mapping[str, int]
    problem: str | None = None

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """The calibration of each bundle, by its name; empty for tasks that predict no labels."""
        return calibrations(self.report)

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers, for JSON."""
        return self.report.to_dict() | {"reading": dict(self.reading)}

    def to_markdown(self) -> str:
        """Returns the report in Markdown."""
        return f"{self.report.to_markdown().rstrip()}\n\n{self._sentence()}\n"

    def _sentence(self) -> str:
        counts = self.reading
        parts = [f"{counts['cut']:,} of {counts['documents']:,} documents were too long and were read in part"]
        if "incomplete" in counts:
            parts.append(f"{counts['incomplete']:,} answers ended for want of room")
        if "with_unparsed" in counts:
            parts.append(f"{counts['with_unparsed']:,} held something that cannot be read")
        if "with_conclusion" in counts:
            parts.append(
                f"the model was shown {counts['with_conclusion']:,} conclusions of abstracts, which is the easier form "
                "of the task: these figures are not comparable with those without conclusions"
            )
        return "; ".join(parts) + "."


def evaluate_task(  # noqa: PLR0913 -- the bundles, the gold, and how documents are read and answers given
    bundle: str | Path,
    gold: str | Path,
    *,
    task: str | PathLike[str] | SpecifiedTask | None = None,
    baseline: str | Path | None = None,
    entities: str | Path | None = None,
    training: str | Path | None = None,
    annotated_only: bool = False,
    given_entities: bool = False,
    with_conclusion: bool = False,
    last: int | None = None,
    free: bool = False,
    too_long: TooLong = "cut",
    window_tokens: int = WINDOW_TOKENS,
    max_source_tokens: int | None = None,
    normalize_punctuation: bool = False,
    batch_size: int | None = None,
    device: Device = "auto",
    threads: int | None = None,
    max_positions: int | None = None,
    check_memory: bool = True,
    as_published: bool = False,
    resampling: Resampling | None = None,
    progress: Progress | None = None,
) -> TaskEvaluation:
    """Has a bundle answer documents and scores it beside baselines, and beside another bundle if one is given.

    Two bundles are never in memory together.

    Args:
        bundle: Folder of the bundle.
        gold: File of documents and answers, in a form in which the task is published or in the general one.
        task: The task; its name, the path of a TOML file that defines it, or the task itself. None for the one that
            the bundle was fine-tuned for.
        baseline: Folder of another bundle, which answers the same documents.
        entities: File of names and their MeSH ids, for tasks whose gold has them.
        training: File of gold in which the majority answer is counted, for tasks that predict labels.
        annotated_only: Leaves out documents without a relation.
        given_entities: Makes relations of the entities alone that the gold names.
        with_conclusion: Shows the model the abstracts' conclusions, which makes questions far easier.
        last: Takes the last documents alone, so many; None for all.
        free: Lets the model generate any text.
        too_long: Handling of documents that are too long: "cut", "windows" or "error".
        window_tokens: Most tokens of a window's prompt.
        max_source_tokens: Most tokens of a source; a document with more is too long. None for as many as fit.
        normalize_punctuation: Reads typographic punctuation that the vocabulary lacks as ASCII.
        batch_size: Documents that are decoded together; None for what suits the device.
        device: Device to run on: "cpu", "cuda" or "auto".
        threads: Threads of one step; None for one a core.
        max_positions: Most tokens of a sequence; None for the model's.
        check_memory: False to load a bundle even where memory seems too small; see `load`.
        as_published: Counts as Microsoft's programs do as well, from the generated texts.
        resampling: Settings of intervals and tests, a `biogpt_onnx.reporting.bootstrap.Resampling`; None for the
            defaults.
        progress: Called with the number of answered documents and of all.

    Raises:
        BundleError: A bundle cannot be used.
        ConfigError: A bundle is for another task, or a setting is bad or none of the task's.
        DocumentError: A gold file is malformed.
        OSError: A file cannot be read.
        PromptError: A document cannot be read.
        ProviderError: ONNX Runtime or the device is not available.
    """
    _check(last, batch_size, too_long, as_published=as_published)
    spec = spec_of_bundle(read_manifest(Path(bundle)), evaluated_specs()) if task is None else task_spec(task)
    if as_published:
        check_published(spec.name)
    reading = Reading(too_long, normalize_punctuation, window_tokens, max_source_tokens)
    load_options = {
        "device": device,
        "threads": threads,
        "max_positions": max_positions,
        "check_memory": check_memory,
    }
    answering = _Answering(spec.task, reading, batch_size, load_options, free=free, progress=progress)
    model = answering.load(bundle)
    _check_settings(spec, training=training, with_conclusion=with_conclusion)
    gold_set = read_gold(
        spec,
        Path(gold),
        entities=None if entities is None else Path(entities),
        annotated_only=annotated_only,
        with_conclusion=with_conclusion,
    )
    problem = _problem_with_entities(spec, gold_set, free=free) if given_entities else None
    gold_set = _selected(gold_set, last, given_entities=given_entities)
    labels = None if training is None else read_gold(spec, Path(training)).gold
    predictions = answering.answers(model, gold_set.documents)
    del model  # two models of BioGPT's size need not be in memory together
    second = None if baseline is None else answering.answers(answering.load(baseline), gold_set.documents)
    report = report_task(
        spec,
        gold_set,
        predictions,
        second,
        training=labels,
        names=_names(Path(bundle), None if baseline is None else Path(baseline)),
        resampling=resampling,
        as_published=as_published,
    )
    counts = _counts(gold_set.documents, predictions)
    counts |= {"with_conclusion": len(gold_set.documents)} if with_conclusion else {}
    return TaskEvaluation(spec.name, report, counts, problem)


@dataclass(frozen=True)
class _Answering:
    """The way in which both bundles answer."""

    task: RunnableTask[Any]
    reading: Reading
    batch_size: int | None
    load_options: Mapping[str, Any]
    free: bool
    progress: Progress | None

    def load(self, bundle: str | Path) -> BioGPT:
        """Loads a bundle, and refuses one of another task."""
        model = load(bundle, **self.load_options)
        check_task(self.task, model)
        return model

    def answers(self, model: BioGPT, documents: Sequence[Document]) -> list[Any]:
        """Returns the result of each document."""
        prompts = [
            (index, prompt)
            for index, document in enumerate(documents)
            for prompt in prompts_for(self.task, model, document, self.reading)
        ]
        # Prompts of similar length share a batch, so that none waits long for its neighbours to end.
        order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place][1].prompt_ids))
        size = self.batch_size or model.default_batch_size
        found: dict[int, Any] = {}
        for start in range(0, len(order), size):
            if self.progress is not None:
                self.progress(start, len(order))
            places = order[start : start + size]
            answers = self.task.answer(model, [prompts[place][1] for place in places], free=self.free)
            found |= dict(zip(places, answers, strict=True))
        results: list[list[Any]] = [[] for _ in documents]
        for place, (index, _) in enumerate(prompts):
            results[index].append(found[place])
        return [combined(self.task, each) for each in results]


def _check(last: int | None, batch_size: int | None, too_long: TooLong, *, as_published: bool) -> None:
    for name, number in (("last", last), ("batch_size", batch_size)):
        if number is not None and number < 1:
            option = name.replace("_", "-")
            raise ConfigError(f"{name} (--{option}) is {number}: give a whole number of 1 or more")
    if as_published and too_long == "windows":
        raise ConfigError(
            "as_published (--as-published) counts one text of each document, and windows make several: cut the "
            "documents that are too long"
        )


def _check_settings(spec: TaskSpec, *, training: str | Path | None, with_conclusion: bool) -> None:
    evaluation = spec.evaluation
    if training is not None and not spec.predicts_labels:
        raise ConfigError(f"training or --training counts labels, {spec.name} has none: leave it out")
    if with_conclusion and not (evaluation and evaluation.gold_conclusions):
        raise ConfigError(
            f"with_conclusion or --with-conclusion shows conclusions of abstracts, {spec.name} has none: leave it out"
        )


def _problem_with_entities(spec: TaskSpec, gold_set: GoldSet[Any], *, free: bool) -> str | None:
    """Returns what is wrong with the entities that the gold names; None if some are of the task's types.

    Raises:
        ConfigError: The gold names no entities, or decoding is free.
    """
    if free or any(document.entities is None for document in gold_set.documents):
        having = " and ".join(
            each.name for each in evaluated_specs() if each.evaluation and each.evaluation.gold_entities
        )
        raise ConfigError(
            f"given_entities or --given-entities is for {having} and for gold whose documents have a field entities, "
            "and not for free decoding: leave it out"
        )
    if not isinstance(spec.task, RelationTask):
        return None
    census = EntityCensus(spec.task)
    for document in gold_set.documents:
        census.count(document)
    return census.problem()


def _selected(gold_set: GoldSet[Any], last: int | None, *, given_entities: bool) -> GoldSet[Any]:
    # Without given entities relations hold between any words; with them a document that names none has no relation.
    documents = tuple(
        replace(each, entities=(each.entities or ()) if given_entities else None) for each in gold_set.documents
    )
    kept = slice(-(last or len(documents)), None)
    return replace(gold_set, documents=documents[kept], gold=gold_set.gold[kept])


def _names(bundle: Path, baseline: Path | None) -> tuple[str, str]:
    first, second = bundle.name, baseline.name if baseline else ""
    return (first, second) if first != second else (str(bundle), f"{baseline} (baseline)")


def _counts(documents: Sequence[Document], predictions: Sequence[Any]) -> dict[str, int]:
    """Counts the documents that were cut, and the answers that are incomplete or partly unparsed."""
    pairs = list(zip(documents, predictions, strict=True))
    found = {
        "documents": len(pairs),
        "cut": sum(one.read < len(document.full_text.rstrip()) for document, one in pairs),
    }
    if hasattr(predictions[0], "complete"):
        found["incomplete"] = sum(not one.complete for one in predictions)
    if hasattr(predictions[0], "unparsed"):
        found["with_unparsed"] = sum(bool(one.unparsed) for one in predictions)
    return found
