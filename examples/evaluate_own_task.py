"""Evaluates a task of one's own, which a TOML file defines, on a small gold file.

    python examples/evaluate_own_task.py bundles/mini

Prints each relation that the model states between the entities which the gold file names, marked with + if it is true,
and then the report: scores by the entities' names and, because the gold file has places, at exact places.

The same from the command line:

    biogpt-onnx evaluate-task bundles/mini --task examples/causes.toml --gold examples/causes.jsonl --given-entities
"""

import argparse
from pathlib import Path

import biogpt_onnx
from biogpt_onnx import tasks
from biogpt_onnx.scores.gold import read_gold
from biogpt_onnx.scores.reports.task_report import report_task

FOLDER = Path(__file__).parent


def main() -> None:
    """Reads the command line, answers the gold file's documents, and prints the report."""
    parser = argparse.ArgumentParser(description="Evaluates a task of one's own.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("--task", type=Path, default=FOLDER / "causes.toml", help="the file that defines the task")
    parser.add_argument("--gold", type=Path, default=FOLDER / "causes.jsonl", help="documents and their relations")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    task = tasks.load(options.task)
    gold = read_gold(task, options.gold)
    predictions = tasks.run(options.task, model, gold.documents)
    for document, found, true in zip(gold.documents, predictions, gold.gold, strict=True):
        known = {(relation.head.lower(), relation.tail.lower()) for relation in true}
        for relation in found.relations:
            mark = "+" if (relation.head.lower(), relation.tail.lower()) in known else "-"
            print(f"{mark} {document.id}: {relation.head} {relation.relation} {relation.tail}, {relation.score:.2f}")
    print(report_task(task, gold, predictions).to_markdown())


if __name__ == "__main__":
    main()
