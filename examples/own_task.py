"""Gives a model a task of one's own: to say whom a study was done in.

    python examples/own_task.py bundles/mini

Prints one line for each document: the likeliest label, its probability among all labels, and the text. A task is a
sentence with a blank and the labels that may fill it, so the answer is always one of them.

A checkpoint answers well what it was fine-tuned for. One that was not, such as the embedded one, can only tell which
sentence it finds the least surprising behind the document.
"""

import argparse

import biogpt_onnx
from biogpt_onnx import tasks

POPULATION = tasks.AnswerTask(
    "population",
    "the study was done in {label}.",
    labels=("adults", "children", "rats"),
    # The rows of a soft prompt that a fine-tuned checkpoint brings; this task was never trained and has none.
    soft_prompt_size=0,
)

QUESTION = "who was studied?"
TEXTS = (
    "Male Wistar rats were given cisplatin for five days.",
    "Twenty children with epilepsy were given valproate.",
)


def main() -> None:
    """Reads the command line and prints the answer for each text."""
    parser = argparse.ArgumentParser(description="Says whom each of two studies was done in.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    documents = [tasks.Document(text, question=QUESTION) for text in TEXTS]
    answers = tasks.run(POPULATION, model, documents)
    for document, answer in zip(documents, answers, strict=True):
        probability = max(answer.probabilities.values())
        print(f"{answer.label:10}{probability:6.1%}  {document.text}")


if __name__ == "__main__":
    main()
