"""Tables of how prompts are read: in chunks, and several together."""

from benchmarks.report.captions import captioned, rounds_in_turns
from benchmarks.report.runs import Run


def prompts_table(run: Run) -> str:
    """Makes the table of prompts that are read in chunks of several lengths and whole."""
    chosen = f"chunks of {run['chunk_tokens']}"
    rows, ways = [], list[str]()
    for recipe, found in run["recipes"].items():
        for length, prompt in found["prompts"].items():
            *ways, _reference = prompt["ways"]
            ratios = [f"{prompt['ways'][way]['ratio']:.2f} x" for way in ways]
            seconds = prompt["ways"][chosen]["seconds"]
            beside = f"{found['token_to_that_of_the_shortest'][length]:.2f} x"
            rows.append([f"{recipe}, {length} tokens", f"{seconds * 1e3:.0f} ms", *ratios, beside])
    are_equal = all(
        prompt["same_to_the_last_bit"] for found in run["recipes"].values() for prompt in found["prompts"].values()
    )
    caption = (
        f"Prompts in {chosen} tokens, as they are read, and the times of all ways beside a whole prompt with denormals "
        f"as the processor takes them; {rounds_in_turns(run)}. Logits are {'' if are_equal else 'NOT '}the same to the "
        "last bit each way. The last column is the time of a token beside that in the shortest prompt."
    )
    return captioned(caption, ["prompt", chosen, *(f"{way}, ratio" for way in ways), "a token"], rows, run)


def prompts_together_table(run: Run) -> str:
    """Makes the table of several prompts in one call beside a call for each."""
    recipes = run["recipes"]
    rows = [
        [part, *(_together(found[part]) for found in recipes.values())] for part in next(iter(recipes.values()), {})
    ]
    caption = (
        "Several prompts in calls of their own, then in one call, and the ratio of the times; prompts of "
        f"{run['prompt_tokens']} tokens, and of an abstract's length with choices; {rounds_in_turns(run)}. Both ways "
        "had the same answers."
    )
    return captioned(caption, ["", *recipes], rows, run)


def _together(found: Run) -> str:
    alone, together = (f"{seconds * 1e3:.0f} ms" for seconds in found["seconds"].values())
    return f"{alone}, {together}: {found['together_to_alone']:.2f} x"
