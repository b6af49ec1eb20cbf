"""Tables of the quantization recipes: size, speed and quality, and the choices of recipe `auto`."""

from benchmarks.report.captions import captioned, rounds_in_turns
from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table

_BITS = {"int4": "4 bits", "int8": "8 bits", "fp32": "float32"}


def recipe_speed_table(run: Run) -> str:
    """Makes the table of every recipe's size, loading, memory and speed beside float32."""
    header = ["recipe", "on disk", "load", "in memory", "prefill", "greedy step", f"step of {run['num_beams']} beams"]
    rows = []
    for name, values in run["recipes"].items():
        step = f"{values['step_seconds'] * 1e3:.1f} ms, {values['step_to_floor']:.2f} x the floor"
        prefill = f"{values['prefill_seconds'] * 1e3:.0f} ms"
        if name != "fp32":
            step += f", {values['step_to_fp32']:.2f} x fp32"
            prefill += f", {values['prefill_to_fp32']:.2f} x fp32"
        rows.append(
            [
                name,
                f"{values['bundle_bytes'] / 1e9:.3f} GB",
                f"{values['load_seconds']:.1f} s",
                f"{values['resident_bytes'] / 1e9:.2f} GB",
                prefill,
                step,
                f"{values['beam_step_seconds'] * 1e3:.1f} ms, {values['beam_step_to_step']:.2f} x greedy",
            ]
        )
    caption = (
        f"The recipes on {run['threads']} threads of an {processor(run)}; a prompt of {run['prompt_tokens']} tokens, "
        f"medians of {run['rounds']} rounds in turns. In memory is the whole process after loading, mapped files "
        f"included. The floor is the time to read a recipe's weights at {run['read_bandwidth_median'] / 1e9:.1f} GB/s."
    )
    return captioned(caption, header, rows, run)


def recipe_quality_table(run: Run) -> str:
    """Makes the table of every recipe's perplexity beside float32, on the embedded checkpoint and its twins."""
    twins = run["twins"]
    header = ["perplexity beside float32", *twins]
    rows = [
        [name, *(f"{found[name]['perplexity_increase']['value']:+z.2%}" for found in twins.values())]
        for name in next(iter(twins.values()))
    ]
    caption = (
        f"Quality on the embedded checkpoint, and on twins of it that compute the same in float32 but have outliers in "
        f"their activations; {run['documents']} abstracts on which it was not trained."
    )
    return captioned(caption, header, rows, run)


def static_scales_table(run: Run) -> str:
    """Makes the table of recipe `int8` beside the same with a scale for each row of its products' inputs."""
    caption = (
        f"`int8` with static scales, beside a scale for each row and an unsigned head: {rounds_in_turns(run)}. "
        f"Prompts are of so many tokens, steps and heads of so many rows, steps behind {run['context']} tokens."
    )
    return captioned(caption, ["", "a scale for each row", "int8", "beside"], _in_turns(run), run)


def quantized_cache_table(run: Run) -> str:
    """Makes the tables of a cache in 8 bits beside one in float32: times, and perplexity."""
    sizes = run["bytes_a_token"]
    caption = (
        f"Recipe `{run['recipe']}` with a cache in float32 ({sizes['float32'] / 1e3:.0f} kB a token) and in 8 bits "
        f"({sizes['int8'] / 1e3:.0f} kB a token); {rounds_in_turns(run)}. Prompts are of so many tokens, steps of so "
        "many rows behind so many tokens."
    )
    times = captioned(caption, ["", "float32", "8 bits", "ratio"], _in_turns(run), run)
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


def automatic_recipe_table(run: Run) -> str:
    """Makes the table of what recipe `auto` makes of the embedded checkpoint."""
    header = [
        "allowed increase",
        *(f"linear layers in {said}" for said in _BITS.values()),
        "embedding and head",
        "disk",
    ]
    header += ["increase on the evaluation text"]
    rows = []
    for found in run["limits"]:
        measured = found["perplexity_increase"]
        low, high = measured["interval"]
        rows.append(
            [
                f"{found['max_perplexity_increase']:.1%}",
                *(str(found["layers"].get(precision, 0)) for precision in _BITS),
                _BITS[found["table"]],
                f"{found['bundle_bytes'] / 1e6:.1f} MB",
                f"{measured['value']:+.2%} ({low:+.2%} to {high:+.2%})",
            ]
        )
    caption = "Recipe `auto` on the embedded checkpoint, with the built-in texts; in brackets 95 % intervals."
    return captioned(caption, header, rows, run)


def _in_turns(run: Run) -> list[list[str]]:
    """Returns a row for each part of a run that measured two subjects in turns: both times, and their ratio."""
    rows = []
    for part, found in run.items():
        if isinstance(found, dict) and "ratio" in found:
            before, after = (f"{seconds * 1e3:.1f} ms" for seconds in found["seconds"].values())
            rows.append([part, before, after, f"{found['ratio']:.2f} x"])
    return rows
