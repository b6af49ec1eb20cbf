"""Prints a text while the model writes it.

    python examples/stream.py bundles/mini
    python examples/stream.py bundles/mini "Aspirin inhibits"

Prints the prompt and behind it one piece of text after the other, then a line with the time to the first token and the
mean time between two tokens.
"""

import argparse

import biogpt_onnx


def main() -> None:
    """Reads the command line and streams the answer to one prompt."""
    parser = argparse.ArgumentParser(description="Prints a text while the model writes it.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("prompt", nargs="?", default="The patient was treated with", help="the text to continue")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    print(options.prompt, end="", flush=True)
    # Leaving the block ends the generation, so that a loop that breaks off early computes nothing in vain.
    with model.stream(options.prompt, max_new_tokens=48, no_repeat_ngram_size=3) as stream:
        for piece in stream:
            print(piece, end="", flush=True)
    print()
    if stream.generation is not None:
        timings = stream.generation.timings
        between = timings.decode / max(timings.steps, 1)
        print(f"first token after {1000 * timings.prefill:.1f} ms, then one every {1000 * between:.1f} ms")


if __name__ == "__main__":
    main()
