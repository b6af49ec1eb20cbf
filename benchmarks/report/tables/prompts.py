"""Tables of how prompts are read: in chunks, several together, and into a cache of 8 bits."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table


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
        f"as the processor takes them; {_subject(run)}. Logits are {'' if are_equal else 'NOT '}the same to the last "
        "bit each way. The last column is the time of a token beside that in the shortest prompt."
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
        f"{run['prompt_tokens']} tokens, and of an abstract's length with choices; {_subject(run)}. Both ways had the "
        "same answers."
    )
    return captioned(caption, ["", *recipes], rows, run)


def quantized_cache_table(run: Run) -> str:
    """Makes the tables of a cache in 8 bits beside one in float32: times, and perplexity."""
    rows = []
    for part, found in run.items():
        if isinstance(found, dict) and "ratio" in found:
            seconds = found["seconds"]
            both = [f"{seconds[cache] * 1e3:.1f} ms" for cache in ("float32", "int8")]
            rows.append([part, *both, f"{found['ratio']:.2f} x"])
    sizes = run["bytes_a_token"]
    caption = (
        f"Recipe `{run['recipe']}` with a cache in float32 ({sizes['float32'] / 1e3:.0f} kB a token) and in 8 bits "
        f"({sizes['int8'] / 1e3:.0f} kB a token); {_subject(run)}. Prompts are of so many tokens, steps of so many "
        "rows behind so many tokens."
    )
    times = captioned(caption, ["", "float32", "8 bits", "ratio"], rows, run)
    if "perplexity" not in run:
        return times
    recipes = list(next(iter(run["perplexity"].values())))
    grown = [
        [twin, *(f"{found[recipe]['growth']:+.2%}" for recipe in recipes)] for twin, found in run["perplexity"].items()
    ]
    return (
        f"{times}\n\nWhat the cache in 8 bits adds to the perplexity of the embedded checkpoint and its twins with "
        f"outliers, where all text goes through the cache:\n\n{table(['', *recipes], grown)}"
    )


def _together(found: Run) -> str:
    alone, together = (f"{seconds * 1e3:.0f} ms" for seconds in found["seconds"].values())
    return f"{alone}, {together}: {found['together_to_alone']:.2f} x"


def _subject(run: Run) -> str:
    return (
        f"BioGPT's size with random weights, {run['threads']} threads of an {processor(run)}, medians of "
        f"{run['rounds']} rounds in turns"
    )
