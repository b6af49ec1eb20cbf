"""The command `evaluate-task`: scores a bundle's answers on documents whose answers are known."""

import argparse
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.entities import EntityCensus, add_entity_types, with_entity_types
from biogpt_onnx.cli.arguments.tasks import (
    add_given_entities,
    add_min_score,
    add_self_relations,
    add_task_arguments,
    add_task_choice,
    choose_spec,
    entity_filter,
    load_model,
    reading_settings,
    with_settings,
)
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.files.rows import Row
from biogpt_onnx.runtime.bundle.target import refuse_inputs, refuse_inside
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold import GoldSet, read_gold
from biogpt_onnx.scores.reports.calibration import check_calibration_plot, plot_calibration
from biogpt_onnx.scores.reports.task_report import calibrations, report_task
from biogpt_onnx.tasks import (
    Document,
    Reading,
    RelationTask,
    RunnableTask,
    SpecifiedTask,
    TaskSpec,
    check_task,
    combined,
    prompts_for,
    task_spec,
)
from biogpt_onnx.tasks.registry import evaluated_specs

ResultT = TypeVar("ResultT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    specs = evaluated_specs()
    with_entities = _names_with_entities()
    with_labels = " and ".join(spec.name for spec in specs if spec.predicts_labels)
    add_bundle_argument(parser)
    parser.add_argument(
        "--gold",
        type=Path,
        required=True,
        metavar="FILE",
        help="documents and answers, in the task's published form or in the general one",
    )
    add_task_choice(parser, [spec.name for spec in specs])
    parser.add_argument(
        "--baseline", type=Path, metavar="BUNDLE", help="another bundle to compare with, on each document"
    )
    parser.add_argument("--entities", type=Path, metavar="FILE", help=f"of {with_entities}: names and their MeSH ids")
    parser.add_argument(
        "--training", type=Path, metavar="FILE", help=f"of {with_labels}: gold in which the majority is counted"
    )
    parser.add_argument(
        "--annotated-only", action="store_true", help="of relations: leave out documents that have none"
    )
    add_given_entities(parser, f"the gold of {with_entities}, or the field entities of the general form,")
    add_entity_types(parser)
    add_min_score(parser, "relations, answers or labels")
    add_self_relations(parser)
    parser.add_argument(
        "--with-conclusion",
        action="store_true",
        help="of questions: show the model the abstract's conclusion, an easier task with figures of its own",
    )
    parser.add_argument("--last", type=int, metavar="N", help="only the last N documents")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help=f"of {with_labels}: draw the calibration to a .svg or .png file"
    )
    add_task_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    if options.plot is not None:
        check_calibration_plot(options.plot)
        bundles = (options.bundle, options.baseline)
        refuse_inputs(options.plot, (*bundles, options.gold, options.entities, options.training))
        refuse_inside(options.plot, bundles)
    asked = None if options.task is None else task_spec(options.task).task
    model = load_model(options, options.bundle)
    spec = choose_spec(evaluated_specs(), asked, model)
    spec = replace(spec, task=_with_types(with_settings(spec.task, options), options))
    task: RunnableTask[Any] = spec.task
    gold = _read_gold(options, spec)
    reading = reading_settings(options, "cut")
    predictions = _predict(options, model, task, gold.documents, reading)
    del model  # two models of BioGPT's size need not be in memory together
    second = None
    if options.baseline is not None:
        other = load_model(options, options.baseline)
        check_task(task, other)
        second = _predict(options, other, task, gold.documents, reading)
    training = None if options.training is None else read_gold(spec, options.training).gold
    report = report_task(spec, gold, predictions, second, training=training, names=_model_names(options))
    counts = _counts(gold.documents, predictions)
    counts |= {"with_conclusion": len(gold.documents)} if options.with_conclusion else {}
    if options.json:
        print(json.dumps(report.to_dict() | {"reading": counts}, indent=2))
    else:
        print(report.to_markdown().rstrip())
        print(f"\n{_sentence(counts)}")
    if options.plot is not None:
        found = calibrations(report)
        if not found:
            raise ConfigError(f"{options.plot} was not written: there is nothing to calibrate")
        plot_calibration(options.plot, found, task.name)
    return 0


def _with_types(task: SpecifiedTask, options: argparse.Namespace) -> SpecifiedTask:
    if isinstance(task, RelationTask):
        return with_entity_types(task, options)
    if options.entity_type:
        raise ConfigError(f"--entity-type names types of entities, {task.name} has none: leave it out")
    return task


def _names_with_entities() -> str:
    return " and ".join(spec.name for spec in evaluated_specs() if spec.evaluation and spec.evaluation.gold_entities)


def _read_gold(options: argparse.Namespace, spec: TaskSpec) -> GoldSet[Any]:
    if options.last is not None and options.last < 1:
        raise ConfigError(f"--last is {options.last}: give a whole number of 1 or more")
    if options.plot is not None and not spec.predicts_labels:
        raise ConfigError(f"--plot draws probabilities of labels, {spec.name} has none: leave it out")
    if options.training is not None and not spec.predicts_labels:
        raise ConfigError(f"--training counts labels, {spec.name} has none: leave it out")
    if options.with_conclusion and not (spec.evaluation and spec.evaluation.gold_conclusions):
        raise ConfigError(f"--with-conclusion shows conclusions of abstracts, {spec.name} has none: leave it out")
    found = read_gold(
        spec,
        options.gold,
        entities=options.entities,
        annotated_only=options.annotated_only,
        with_conclusion=options.with_conclusion,
    )
    names_entities = all(document.entities is not None for document in found.documents)
    if options.given_entities and (not names_entities or options.free):
        raise ConfigError(
            f"--given-entities is for {_names_with_entities()} and for gold whose documents have a field entities, and "
            "not for --free: leave it out"
        )
    if options.given_entities and isinstance(spec.task, RelationTask):
        census = EntityCensus(spec.task, str(options.gold))
        deque(census.counted(Row(number, each) for number, each in enumerate(found.documents, start=1)), maxlen=0)
        census.warn()
    documents = tuple(map(entity_filter(options), found.documents))
    last = slice(-(options.last or len(found.documents)), None)
    return replace(found, documents=documents[last], gold=found.gold[last])


def _model_names(options: argparse.Namespace) -> tuple[str, str]:
    first, second = options.bundle.name, options.baseline.name if options.baseline else ""
    return (first, second) if first != second else (str(options.bundle), f"{options.baseline} (baseline)")


def _predict(
    options: argparse.Namespace,
    model: BioGPT,
    task: RunnableTask[ResultT],
    documents: Sequence[Document],
    reading: Reading,
) -> list[ResultT]:
    prompts = [
        (index, prompt)
        for index, document in enumerate(documents)
        for prompt in prompts_for(task, model, document, reading)
    ]
    # Prompts of similar length share a batch, so that none waits long for its neighbours to end.
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place][1].prompt_ids))
    found: dict[int, ResultT] = {}
    with Progress("answering") as progress:
        for start in range(0, len(order), options.batch_size):
            progress(start, len(order))
            places = order[start : start + options.batch_size]
            answers = task.answer(model, [prompts[place][1] for place in places], free=options.free)
            found |= dict(zip(places, answers, strict=True))
    results: list[list[ResultT]] = [[] for _ in documents]
    for place, (index, _) in enumerate(prompts):
        results[index].append(found[place])
    return [combined(task, each) for each in results]


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


def _sentence(counts: dict[str, int]) -> str:
    parts = [f"{counts['cut']:,} of {counts['documents']:,} documents were too long and were read in part"]
    if "incomplete" in counts:
        parts.append(f"{counts['incomplete']:,} answers ended for want of room")
    if "with_unparsed" in counts:
        parts.append(f"{counts['with_unparsed']:,} held something that cannot be read")
    if "with_conclusion" in counts:
        parts.append(
            f"the model was shown {counts['with_conclusion']:,} conclusions of abstracts, which is the easier form of "
            "the task: these figures are not comparable with those without conclusions"
        )
    return "; ".join(parts) + "."
