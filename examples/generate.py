"""Continues several prompts in one call.

    python examples/generate.py bundles/mini

Prints each prompt with the text that the model writes behind it. A second line says how many tokens that text has, the
geometric mean of their probabilities, and why the text ended: "eos" where the model ended it, "stop" at the full stop
that this script asks for, "length" where no more tokens were asked for.
"""

import argparse
import math

import biogpt_onnx

PROMPTS = (
    "The patient was treated with",
    "Cisplatin-induced nephrotoxicity is",
    "The aim of this study was to",
)


def main() -> None:
    """Reads the command line and prints an answer to each prompt."""
    parser = argparse.ArgumentParser(description="Continues several prompts in one call.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    # The answers come in the order of the prompts, and none depends on the others.
    answers = model.generate(PROMPTS, max_new_tokens=32, stop_strings=["."], no_repeat_ngram_size=3)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        print(f"{prompt}{answer.text}")
        likelihood = math.exp(answer.score / len(answer.token_ids))
        print(f"    {len(answer.token_ids)} tokens, mean probability {likelihood:.3f}, ended by {answer.finish_reason}")


if __name__ == "__main__":
    main()
