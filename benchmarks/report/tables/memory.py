"""The tables of peak memory: beside the formula, within small limits, and of making bundles smaller."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table

_MIB = 2**20
_GB = 10**9
_QUANTIZING = {"alone": "without the comparison", "compared": "with it"}
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


def quantizing_table(run: Run) -> str:
    """Makes the table of what `quantize` takes, by model, recipe, and whether the comparison follows."""
    header = [
        "model",
        "recipe",
        "",
        "seconds of the processors",
        "memory of its own",
        "resident",
        "float32 bundle",
        "bundle",
    ]
    rows = [
        [
            model.removeprefix("preset:"),
            recipe,
            said,
            f"{values[way]['cpu_seconds']:,.0f}",
            *(f"{values[way][peak] / _GB:.2f} GB" for peak in ("peak_anonymous_bytes", "peak_resident_bytes")),
            *(f"{size / _GB:.2f} GB" for size in (found["fp32_bytes"], values["bundle_bytes"])),
        ]
        for model, found in run.items()
        if model.startswith("preset:")
        for recipe, values in found["recipes"].items()
        for way, said in _QUANTIZING.items()
    ]
    caption = (
        "Time of the processors and most memory of the command `quantize` with random weights, once each, on an "
        f"{processor(run)}. Resident memory counts the mapped float32 file, which the system may take back."
    )
    return captioned(caption, header, rows, run)


def _work(case: Run) -> str:
    beams = f", {case['beams']} beams" if case["beams"] > 1 else ""
    return f"{case['rows']} x {case['prompt_tokens']} + {case['new_tokens']}{beams}"


def _beside(case: Run) -> str:
    return f"{case['peak_bytes'] / _MIB:,.0f} MiB, {case['formula_bytes'] / _MIB:,.0f} MiB"


def _outcome(row: Run) -> str:
    return _OUTCOMES.get(row["outcome"], f"killed ({row['outcome']})" if row["kills"] else row["outcome"])
