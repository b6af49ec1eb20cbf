"""Has documents answered, and holds the answers against what is known."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.cli.task_arguments import chosen_task, completed_entities, loaded, reading
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks import BC5CDR, DDI, HOC, KD_DTI, PUBMEDQA, Document, Reading, RunnableTask, prepare_for

ResultT = TypeVar("ResultT")

_TASKS: tuple[RunnableTask[Any], ...] = (BC5CDR, KD_DTI, DDI, HOC, PUBMEDQA)


def score(options: argparse.Namespace) -> int:
    """Scores a bundle as the command's options say."""
    from biogpt_onnx.scores.reports.calibration import check_calibration_plot, plot_calibration

    if options.plot is not None:
        check_calibration_plot(options.plot)
    model = loaded(options, options.bundle)
    task = chosen_task(_TASKS, options.task, model)
    gold = _gold(options, task.name)
    names = _names(options)
    reads = reading(options, "cut")
    predictions = _predict(options, model, task, gold.documents, reads)
    del model  # two models of BioGPT's size need not be in memory together
    second = None
    if options.baseline is not None:
        other = loaded(options, options.baseline)
        chosen_task([task], task.name, other)
        second = _predict(options, other, task, gold.documents, reads)
    report = _report(options, task.name, gold, predictions, second, names)
    if options.json:
        print(json.dumps(report.to_dict() | {"reading": _read(gold.documents, predictions)}, indent=2))
    else:
        print(report.to_markdown().rstrip())
        print(f"\n{_reading_sentence(_read(gold.documents, predictions))}")
    if options.plot is not None:
        plot_calibration(options.plot, _calibrations(report, options.plot), task.name)
    return 0


def _gold(options: argparse.Namespace, task: str) -> Any:  # noqa: ANN401 -- what is true depends on the task
    from biogpt_onnx.scores.gold import read_gold

    if options.last is not None and options.last < 1:
        raise ConfigError(f"--last is {options.last}: give a whole number of 1 or more")
    if options.plot is not None and task not in {HOC.name, PUBMEDQA.name}:
        raise ConfigError(f"--plot draws probabilities of labels, {task} has none: leave it out")
    if options.training is not None and task not in {HOC.name, PUBMEDQA.name}:
        raise ConfigError(f"--training counts labels, {task} has none: leave it out")
    found: Any = read_gold(
        task,  # type: ignore[call-overload]  # names that argparse has checked
        options.gold,
        entities=options.entities,
        annotated_only=options.annotated_only,
    )
    if options.given_entities and (task != BC5CDR.name or options.free):
        raise ConfigError("--given-entities is for bc5cdr, whose gold names them, and not for --free: leave it out")
    documents = tuple(map(completed_entities(options), found.documents))
    last = slice(-(options.last or len(found.documents)), None)
    return replace(found, documents=documents[last], gold=found.gold[last])


def _names(options: argparse.Namespace) -> tuple[str, str]:
    first, second = options.bundle.name, options.baseline.name if options.baseline else ""
    return (first, second) if first != second else (str(options.bundle), f"{options.baseline} (baseline)")


def _predict(
    options: argparse.Namespace,
    model: BioGPT,
    task: RunnableTask[ResultT],
    documents: Sequence[Document],
    reads: Reading,
) -> list[ResultT]:
    prepared = [prepare_for(task, model, document, reads) for document in documents]
    # Of like length, so that none waits long for its neighbours to end.
    order = sorted(range(len(prepared)), key=lambda number: -len(prepared[number].prompt_ids))
    found: dict[int, ResultT] = {}
    with Progress("answering") as progress:
        for start in range(0, len(order), options.batch_size):
            progress(start, len(order))
            numbers = order[start : start + options.batch_size]
            answers = task.answer(model, [prepared[number] for number in numbers], free=options.free)
            found |= dict(zip(numbers, answers, strict=True))
    return [found[number] for number in range(len(prepared))]


def _report(  # noqa: PLR0913, PLR0917 -- what is scored, and how it is called
    options: argparse.Namespace,
    task: str,
    gold: Any,  # noqa: ANN401 -- as above
    predictions: Sequence[Any],
    second: Sequence[Any] | None,
    names: tuple[str, str],
) -> Any:  # noqa: ANN401 -- each task has its own
    from biogpt_onnx.scores.gold import read_gold
    from biogpt_onnx.scores.reports.answers import report_answers
    from biogpt_onnx.scores.reports.concept_pairs import report_concepts
    from biogpt_onnx.scores.reports.hallmarks import report_hallmarks
    from biogpt_onnx.scores.reports.triples import report_triples

    if task == BC5CDR.name:
        return report_concepts(gold, predictions, second, names=names)
    if task in {DDI.name, KD_DTI.name}:
        return report_triples(task, gold, predictions, second, names=names)  # type: ignore[arg-type]  # as above
    if task == HOC.name:
        training = None if options.training is None else read_gold("hoc", options.training).gold
        return report_hallmarks(gold, predictions, second, training=training, names=names)
    answers = None if options.training is None else read_gold("pubmedqa", options.training).gold
    return report_answers(gold, predictions, second, training=answers, names=names)


def _calibrations(report: Any, path: Path) -> Any:  # noqa: ANN401 -- as above
    if not report.calibrations:
        raise ConfigError(f"{path} was not written: there is nothing to calibrate")
    return report.calibrations


def _read(documents: Sequence[Document], predictions: Sequence[Any]) -> dict[str, int]:
    """How much of the documents was read, and of the answers."""
    pairs = list(zip(documents, predictions, strict=True))
    found = {"documents": len(pairs), "cut": sum(one.read < _end(document) for document, one in pairs)}
    if hasattr(predictions[0], "complete"):
        found["incomplete"] = sum(not one.complete for one in predictions)
    if hasattr(predictions[0], "unparsed"):
        found["with_unparsed"] = sum(bool(one.unparsed) for one in predictions)
    return found


def _end(document: Document) -> int:
    return len(document.full_text.rstrip())


def _reading_sentence(found: dict[str, int]) -> str:
    said = [f"{found['cut']:,} of {found['documents']:,} documents were too long and were read in part"]
    if "incomplete" in found:
        said.append(f"{found['incomplete']:,} answers ended for want of room")
    if "with_unparsed" in found:
        said.append(f"{found['with_unparsed']:,} held something that cannot be read")
    return "; ".join(said) + "."
