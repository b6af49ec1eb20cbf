"""Finds which diseases chemicals induce, according to the documents of a PubTator file.

    python examples/relations.py bundles/mini
    python examples/relations.py bundles/bc5cdr abstracts.pubtator

Prints one line for each relation: the document's id, the chemical and the disease in the document's own words, the
characters at which each stands first, and the log-probability of the statement in nats. Characters are counted as
PubTator does, in the title, one space and the abstract. Rows that are no documents are named and the others go on.

The bundle should be of a checkpoint that was fine-tuned on BC5CDR. The embedded one was trained on the form of this
task and is wrong more often than not.
"""

import argparse
from pathlib import Path

import biogpt_onnx
from biogpt_onnx import tasks
from biogpt_onnx.files.reading import read_documents

INVENTED = Path(__file__).parent / "documents.pubtator"


def main() -> None:
    """Reads the command line and prints the relations of each document."""
    parser = argparse.ArgumentParser(description="Finds which diseases chemicals induce.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("file", nargs="?", type=Path, default=INVENTED, help="documents in PubTator's format")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    for item in read_documents(options.file, "pubtator"):
        if item.document is None:
            print(f"line {item.line}: {item.problem}")
            continue
        (found,) = tasks.run(tasks.BC5CDR, model, [item.document], too_long="cut")
        for relation in found.relations:
            head, tail = (_at(relation.head, relation.head_span), _at(relation.tail, relation.tail_span))
            print(f"{item.document.id}: {head} induces {tail}, {relation.score:.2f}")


def _at(name: str, span: tasks.Span | None) -> str:
    return f"{name} [{span[0]}:{span[1]}]" if span else f"{name} [not in the document]"


if __name__ == "__main__":
    main()
