"""Prints the most probable tokens at each place of a text, the model's own or one's own.

    python examples/top_tokens.py bundles/mini
    python examples/top_tokens.py bundles/mini --text "Aspirin inhibits platelet aggregation."

Prints a line for each token: its text, its probability, and the most probable tokens at its place with theirs. A token
that the model would not have written is marked by a star. Without a text of one's own, the model continues a prompt.
"""

import argparse

import biogpt_onnx

PROMPT = "The patient was treated with"


def main() -> None:
    """Reads the command line and prints the tokens."""
    parser = argparse.ArgumentParser(description="Prints the most probable tokens at each place of a text.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("--prompt", default=PROMPT, help="the text to continue")
    parser.add_argument("--text", help="a text whose own tokens are looked at instead")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="how many tokens at each place (default 3)")
    options = parser.parse_args()

    # Leaving the block frees the model's memory.
    with biogpt_onnx.load(options.bundle) as model:
        if options.text is None:
            logprobs = model.generate(options.prompt, max_new_tokens=12, logprobs=options.top).logprobs
        else:
            logprobs = model.score(options.text, logprobs=options.top).logprobs
    for token in logprobs or ():
        likely = "  ".join(f"{each.text!r} {each.probability:.1%}" for each in token.top)
        mark = " " if token.top[0].token_id == token.token_id else "*"
        print(f"{mark} {token.text!r:18} {token.probability:6.1%}   {likely}")


if __name__ == "__main__":
    main()
