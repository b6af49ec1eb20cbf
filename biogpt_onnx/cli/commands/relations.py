"""The command `relations`: extracts relations from documents."""

import argparse
from dataclasses import replace

from biogpt_onnx.cli.arguments.bundle import add_bundle_argument
from biogpt_onnx.cli.arguments.entities import FileCensus, add_entity_types, with_entity_types
from biogpt_onnx.cli.arguments.labels import read_labels
from biogpt_onnx.cli.arguments.names import non_empty_path
from biogpt_onnx.cli.arguments.outputs import JSON_LINES, output_format
from biogpt_onnx.cli.arguments.tasks import (
    add_drawing,
    add_given_entities,
    add_min_score,
    add_row_arguments,
    add_self_relations,
    add_task_choice,
    asked_task,
    choose_task,
    drawing_or,
    entity_filter,
    load_model,
    reading_settings,
    with_settings,
)
from biogpt_onnx.cli.task_rows import answer_rows
from biogpt_onnx.files.annotations import RelationSchema
from biogpt_onnx.files.bioc.xml_writer import BioC
from biogpt_onnx.files.lexicon import Lexicon, read_lexicon
from biogpt_onnx.files.pubtator.writer import PubTator
from biogpt_onnx.files.records import OutputFormat
from biogpt_onnx.files.text.json_lines import JsonLines
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks import RelationTask
from biogpt_onnx.tasks.registry import tasks_of

_PUBTATOR, _BIOC = "pubtator", "bioc"
_FORMATS = (JSON_LINES, _PUBTATOR, _BIOC)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    tasks = tasks_of(RelationTask)
    add_bundle_argument(parser)
    add_row_arguments(parser, "documents as text, JSON, CSV, TSV, PubTator or BioC")
    add_task_choice(parser, [task.name for task in tasks])
    add_given_entities(parser, "the file (annotations of PubTator and BioC, the field entities of JSON lines)")
    add_entity_types(parser)
    add_min_score(parser, "relations")
    add_self_relations(parser)
    parser.add_argument(
        "--output-format",
        choices=_FORMATS,
        help="of the results (by default what the output's name says, else JSON lines)",
    )
    add_drawing(parser)
    parser.add_argument(
        "--lexicon",
        type=non_empty_path,
        metavar="FILE",
        help="a JSON object of names and their ids, for PubTator and BioC",
    )
    having_labels = " and ".join(task.name for task in tasks if task.labels)
    parser.add_argument(
        "--labels",
        type=non_empty_path,
        metavar="FILE",
        help=f"of {having_labels}: the relations that there are, one a line",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command; returns 1 if some rows have no answer."""
    if options.given_entities and options.free:
        raise ConfigError("--given-entities keeps the model to names, --free lets it write what it likes: choose one")
    form = output_format(options, _FORMATS)
    if options.draw and form != JSON_LINES:
        raise ConfigError(f"--draw draws results, {form} is for other programs: leave out one of them")
    if options.lexicon is not None and form == JSON_LINES:
        raise ConfigError("--lexicon gives ids to PubTator and BioC, JSON lines have none: leave it out")
    lexicon = Lexicon() if options.lexicon is None else read_lexicon(options.lexicon)
    labels = None if options.labels is None else read_labels(options.labels)
    asked = asked_task(RelationTask, options.task)
    model = load_model(options, options.bundle)
    task = with_settings(choose_task(RelationTask, asked, model), options)
    if labels is not None:
        if not task.labels:
            raise ConfigError(f"--labels names relations, {task.name} has but one: leave it out")
        task = replace(task, labels=labels)
    task = with_entity_types(task, options)
    return answer_rows(
        options,
        task,
        model,
        reading_settings(options, "error"),
        drawing_or(_output(form, task, lexicon), options),
        completed=entity_filter(options),
        census=FileCensus(task, options.file) if options.given_entities else None,
    )


def _output(name: str, task: RelationTask, lexicon: Lexicon) -> OutputFormat:
    schema = RelationSchema(task.relation, task.head_type, task.tail_type, task.type_names)
    if name == _PUBTATOR:
        return PubTator(schema, lexicon)
    return BioC(schema, lexicon) if name == _BIOC else JsonLines()
