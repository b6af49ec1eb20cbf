"""Searches several continuations of a prompt at once and prints the best of them.

    python examples/beams.py bundles/mini
    python examples/beams.py bundles/mini "Aspirin inhibits"

Prints one line for each continuation, the best first, with its score: the log-probability of its tokens in nats,
divided by their number.
"""

import argparse

import biogpt_onnx


def main() -> None:
    """Reads the command line and prints the beams of one prompt."""
    parser = argparse.ArgumentParser(description="Prints the best of several continuations.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("prompt", nargs="?", default="The patient was treated with", help="the text to continue")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    answer = model.generate(options.prompt, num_beams=5, num_return_sequences=3, max_new_tokens=24)
    for rank, hypothesis in enumerate(answer.sequences, start=1):
        print(f"{rank}. {hypothesis.score:8.4f}  {options.prompt}{hypothesis.text}")


if __name__ == "__main__":
    main()
