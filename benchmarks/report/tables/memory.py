"""The tables of peak memory beside the formula, and of small limits."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table

_MIB = 2**20
_OUTCOMES = {"answered": "answered", "refused": "refused before loading"}


def small_memory_table(run: Run) -> str:
    """Makes the tables of peak memory by rows and positions, and of what ran within limits."""
    recipes = run["recipes"]
    header = ["prompts, tokens of each, new tokens", *[f"{name}: peak, formula" for name in recipes]]
    rows = [
        [_work(case), *[_beside(recipes[name]["cases"][number]) for name in recipes]]
        for number, case in enumerate(next(iter(recipes.values()))["cases"])
    ]
    caption = (
        "Most anonymous memory of a fresh process that loads a bundle of BioGPT's size with random weights and "
        f"continues prompts of random tokens, {run['threads']} threads of an {processor(run)}, beside the formula."
    )
    limited = [
        [name, f"{row['limit_mib']:,} MiB", _work(row), _outcome(row)]
        for name, values in recipes.items()
        if not isinstance(values["limited"], str)
        for row in values["limited"]
    ]
    within = table(["recipe", "limit", "prompts, tokens of each, new tokens", ""], limited)
    said = "The same in control groups with a limit of memory and no swap; `load` refuses what does not fit."
    cold = ", ".join(f"{name} {values['cold']['loading_read_to_weights']:.2f} x" for name, values in recipes.items())
    read = f"What loading read from the disk with nothing cached, beside the size of the weights: {cold}."
    return f"{captioned(caption, header, rows, run)}\n\n{said}\n\n{within}\n\n{read}"


def _work(case: Run) -> str:
    beams = f", {case['beams']} beams" if case["beams"] > 1 else ""
    return f"{case['rows']} x {case['prompt_tokens']} + {case['new_tokens']}{beams}"


def _beside(case: Run) -> str:
    return f"{case['peak_bytes'] / _MIB:,.0f} MiB, {case['formula_bytes'] / _MIB:,.0f} MiB"


def _outcome(row: Run) -> str:
    return _OUTCOMES.get(row["outcome"], f"killed ({row['outcome']})" if row["kills"] else row["outcome"])
