"""The command `evaluate-task`: scores a bundle's answers on documents whose answers are known."""

import argparse
import json

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument, check_expected
from biogpt_onnx.cli.arguments.entities import add_entity_types, warn_of, with_entity_types
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.arguments.tasks import (
    add_given_entities,
    add_min_score,
    add_self_relations,
    add_task_arguments,
    add_task_choice,
    with_settings,
)
from biogpt_onnx.cli.progress import Progress
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.bundle.target import refuse_inputs, refuse_inside
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores import evaluate_task
from biogpt_onnx.scores.reports.calibration import check_calibration_plot, plot_calibration
from biogpt_onnx.tasks import RelationTask, SpecifiedTask
from biogpt_onnx.tasks.registry import TASK_SPECS, evaluated_specs, task_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    specs = evaluated_specs()
    with_entities = _names_with_entities()
    with_labels = " and ".join(spec.name for spec in specs if spec.predicts_labels)
    add_bundle_argument(parser)
    parser.add_argument(
        "--gold",
        type=non_empty_path,
        required=True,
        metavar="FILE",
        help="documents and answers, in the task's published form or in the general one",
    )
    add_task_choice(parser, [spec.name for spec in specs])
    parser.add_argument(
        "--baseline", type=non_empty_path, metavar="BUNDLE", help="another bundle to compare with, on each document"
    )
    parser.add_argument(
        "--entities", type=non_empty_path, metavar="FILE", help=f"of {with_entities}: names and their MeSH ids"
    )
    parser.add_argument(
        "--training",
        type=non_empty_path,
        metavar="FILE",
        help=f"of {with_labels}: gold in which the majority is counted",
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
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="count as Microsoft's programs do as well, from the generated texts, to compare with published figures",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--plot",
        type=non_empty_path,
        metavar="FILE",
        help=f"of {with_labels}: draw the calibration to a .svg or .png file",
    )
    add_task_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    check_expected(options)
    if options.plot is not None:
        _check_plot(options)
    with Progress("answering") as progress:
        evaluation = evaluate_task(
            options.bundle,
            options.gold,
            task=_task(options),
            baseline=options.baseline,
            entities=options.entities,
            training=options.training,
            annotated_only=options.annotated_only,
            given_entities=options.given_entities,
            with_conclusion=options.with_conclusion,
            last=options.last,
            free=options.free,
            too_long=options.too_long or "cut",
            window_tokens=options.window_tokens,
            max_source_tokens=options.max_source_tokens,
            normalize_punctuation=options.normalize_punctuation,
            batch_size=options.batch_size,
            device=options.device,
            threads=options.threads,
            max_positions=options.max_positions,
            check_memory=options.check_memory,
            as_published=options.as_published,
            progress=progress,
        )
    warn_of(str(options.gold), evaluation.problem)
    print(json.dumps(evaluation.to_dict(), indent=2) if options.json else evaluation.to_markdown().rstrip())
    if options.plot is not None:
        if not evaluation.calibrations:
            raise ConfigError(f"{options.plot} was not written: there is nothing to calibrate")
        plot_calibration(options.plot, evaluation.calibrations, evaluation.task)
    return 0


def _check_plot(options: argparse.Namespace) -> None:
    """Refuses a diagram that could not be drawn, before the work whose result it would show."""
    check_calibration_plot(options.plot)
    bundles = (options.bundle, options.baseline)
    refuse_inputs(options.plot, (*bundles, options.gold, options.entities, options.training))
    refuse_inside(options.plot, bundles)
    name = _name(options)
    spec = None if name is None else task_spec(name)
    if spec is not None and not spec.predicts_labels:
        raise ConfigError(f"--plot draws probabilities of labels, {spec.name} has none: leave it out")


def _name(options: argparse.Namespace) -> str | None:
    """Returns the task that is asked for, else that of the bundle if it is a known one."""
    named: str | None = options.task or read_manifest(options.bundle).task
    return named if options.task or named in TASK_SPECS else None


def _task(options: argparse.Namespace) -> str | SpecifiedTask | None:
    """Returns the task, with the settings of its own that options give; None for the bundle's own."""
    name = _name(options)
    if name is None:
        return None
    task = with_settings(task_spec(name).task, options)
    if isinstance(task, RelationTask):
        return with_entity_types(task, options)
    if options.entity_type:
        raise ConfigError(f"--entity-type names types of entities, {task.name} has none: leave it out")
    return task


def _names_with_entities() -> str:
    return " and ".join(spec.name for spec in evaluated_specs() if spec.evaluation and spec.evaluation.gold_entities)
