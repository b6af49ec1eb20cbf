"""Asks a model which of several texts is the likeliest behind a prompt.

    python examples/choose.py bundles/mini

Prints each choice with its probability among the choices, the likeliest first. The prompt is computed once for all of
them, and nothing but the choices can be the answer.
"""

import argparse

import biogpt_onnx

PROMPT = "Intravenous administration of heparin caused"
CHOICES = ("bleeding", "hypotension", "seizures", "hair loss")


def main() -> None:
    """Reads the command line and prints how likely each choice is."""
    parser = argparse.ArgumentParser(description="Prints which of several texts is the likeliest behind a prompt.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    found = model.choose(PROMPT, CHOICES)
    print(f"{PROMPT} ...")
    for choice in sorted(found.choices, key=lambda choice: choice.probability, reverse=True):
        print(f"    {choice.probability:6.1%}  {choice.text}")


if __name__ == "__main__":
    main()
