"""The README's tables from committed runs: `python benchmarks/report.py` prints them, `--write` puts them there."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from biogpt_onnx.bench.rows import read_rows
from biogpt_onnx.bench.standing import standings
from biogpt_onnx.bench.summary import summary

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
_KINDS = {"prepacked": "prepacked", "mapped": "not prepacked", "transformers": "transformers"}


def table(run: dict[str, Any]) -> str:
    """The run as a Markdown table, with what it was made on."""
    decoding, export, cold, machine = run["decoding"], run["export"], run["cold_start"], run["machine"]
    steps = decoding["rounds"] * decoding["steps_per_round"]
    rows = []
    for kind, name in _KINDS.items():
        values = decoding["medians"][kind]
        against = f", {values['step_to_transformers']:.2f} x transformers" if kind != "transformers" else ""
        rows.append(
            (
                f"greedy step, {name}",
                f"{values['step_seconds'] * 1e3:.1f} ms",
                f"{values['step_to_floor']:.2f} x the floor{against}",
            )
        )
    for kind, name in _KINDS.items():
        values = decoding["medians"][kind]
        against = f"{values['prefill_to_transformers']:.2f} x transformers" if kind != "transformers" else ""
        tokens = decoding["prompt_tokens"]
        rows.append((f"prefill of {tokens} tokens, {name}", f"{values['prefill_seconds'] * 1e3:.0f} ms", against))
    rows.append(("bundle on disk", f"{decoding['bundle_bytes'] / 1e9:.2f} GB", ""))
    for preset, values in export.items():
        name = {"preset:biogpt": "BioGPT", "preset:biogpt-large": "BioGPT-Large"}[preset]
        memory = f"{values['peak_anonymous_bytes'] / 1e9:.2f} GB"
        rows.append((f"export of {name}, peak memory", memory, f"bundle {values['bundle_bytes'] / 1e9:.2f} GB"))
    rows.append(
        (
            "mini, cold process to the 16th token",
            f"{cold['generate_seconds']:.2f} s",
            f"{cold['generate_to_import']:.1f} x `import onnxruntime`",
        )
    )
    if run["tokenizer"]["measured"]:
        rows.append(("tokenizer, warm, one thread", f"{run['tokenizer']['warm_mb_per_second']:.1f} MB/s", ""))
    bandwidth = f"{decoding['read_bandwidth_median'] / 1e9:.1f} GB/s"
    best = f"{decoding['read_bandwidth_best'] / 1e9:.1f}"
    versions = f"ONNX Runtime {machine['versions']['onnxruntime']}, transformers {machine['versions']['transformers']}"
    processor = _processor(run)
    made_on = (
        f"BioGPT's size with random weights, float32, {decoding['threads']} threads of an {processor}, {versions} "
        f"(eager); medians of {decoding['rounds']} prefills and {steps} steps, in turns. The floor is the time to read "
        f"{decoding['step_bytes'] / 1e9:.2f} GB of weights at {bandwidth}, the median read bandwidth of the same "
        f"run (the best was {best})."
    )
    lines = [made_on, "", "| what | measured | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def search_table(run: dict[str, Any]) -> str:
    """A run of the searches as a Markdown table, with what it was made on."""
    beams, long, drafts, sharing = run["beams"], run["long_beams"], run["drafts"]["kinds"], run["sharing"]
    milliseconds = {name: f"{seconds * 1e3:.0f} ms" for name, seconds in beams["step_seconds"].items()}
    rows = [
        (
            f"step of {beams['num_beams']} beams",
            milliseconds["beams"],
            _ratios(beams, beam_step_to_greedy_step="a greedy step", beam_step_to_transformers="transformers"),
        ),
        (
            f"prefill with {beams['num_beams']} beams",
            f"{beams['prefill_seconds']['beams'] * 1e3:.0f} ms",
            _ratios(beams, beam_prefill_to_greedy_prefill="without", beam_prefill_to_transformers="transformers"),
        ),
        (
            f"step of {beams['batch']} prompts with {beams['num_beams']} beams each",
            milliseconds["beams_batch"],
            f"{beams['batch_step_to_transformers']:.2f} x transformers",
        ),
        (
            f"cache, {beams['cache']['new_tokens']} tokens with {beams['num_beams']} beams",
            f"{beams['cache']['most_tokens']} tokens",
            f"{beams['cache']['most_to_that']:.2f} x (prompt + beams x new tokens)",
        ),
        (
            f"cache, mini, {long['new_tokens']} tokens with {long['num_beams']} beams",
            f"{long['most_tokens_in_cache']} tokens",
            "",
        ),
        (
            "all rules and sampling, one row",
            f"{run['controls']['all_with_choice_milliseconds']:.1f} ms",
            f"{run['controls']['all_to_greedy_step']:.0%} of a greedy step",
        ),
        (
            f"{sharing['choices']} choices behind {sharing['prompt_tokens']} tokens",
            f"{sharing['seconds']['shared_prompt']:.2f} s",
            _ratios(sharing, shared_to_alone="scoring each alone", prefix_to_alone="that behind a prefix"),
        ),
    ]
    rows += [
        (
            f"drafts, {name}",
            f"{kind['seconds_to_plain']:.2f} x the time",
            f"{kind['passes']} steps for {kind['new_tokens']} tokens",
        )
        for name, kind in drafts.items()
    ]
    made_on = (
        f"BioGPT's size with random weights, float32, the same machine; a prompt of {beams['prompt_tokens']} tokens, "
        f"medians of {beams['rounds']} rounds in turns. Drafts write prescribed texts: BC5CDR's annotated relations, "
        "PubMedQA's answers, abstracts, and random tokens; of each document the median of "
        f"{run['drafts']['rounds']} runs."
    )
    lines = [made_on, "", "| what | measured | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def quantized_table(run: dict[str, Any]) -> str:
    """A run of the recipes as a Markdown table, with what it was made on."""
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
    made_on = (
        f"The recipes on {run['threads']} threads of an {_processor(run)}; a prompt of {run['prompt_tokens']} tokens, "
        f"medians of {run['rounds']} rounds in turns. In memory is the whole process after loading, mapped files "
        f"included. The floor is the time to read a recipe's weights at {run['read_bandwidth_median'] / 1e9:.1f} GB/s."
    )
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join([made_on, "", *(f"| {' | '.join(line)} |" for line in lines)])


def shared_table(run: dict[str, Any]) -> str:
    """A run of two processes of one bundle as a Markdown table, with what it was made on."""
    header = ["recipe", "load", "load, shared", "a process", "a second one", "a second one, shared", "cache on disk"]
    rows = []
    for name, values in run["recipes"].items():
        own, shared = values["own"], values["shared"]
        first, second = own["computed"]["first_resident_bytes"], own["computed"]["second_private_bytes"]
        third, share = shared["computed"]["second_private_bytes"], shared["computed"]["second_private_to_first"]
        rows.append(
            [
                name,
                f"{own['load_seconds']:.2f} s",
                f"{shared['load_seconds']:.2f} s",
                f"{first / 1e6:.0f} MB",
                f"{second / 1e6:.0f} MB",
                f"{third / 1e6:.0f} MB, {share:.0%} of the first",
                f"{values['cache_bytes'] / 1e9:.2f} GB",
            ]
        )
    made_on = (
        f"Two processes of one bundle, each with weights of its own and with `share_weights=True`, after a prompt of "
        f"{run['prompt_tokens']} tokens and {run['steps']} steps; medians of {run['rounds']} rounds. Loading includes "
        "`import onnxruntime`. A second process's memory is what no other process shares."
    )
    return "\n".join([made_on, "", *(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])])


def quality_table(run: dict[str, Any]) -> str:
    """A run of the recipes' quality as a Markdown table, with what it was made on."""
    twins = run["twins"]
    header = ["perplexity beside float32", *twins]
    rows = [
        [name, *(f"{found[name]['perplexity_increase']['value']:+z.2%}" for found in twins.values())]
        for name in next(iter(twins.values()))
    ]
    made_on = (
        f"Quality on the embedded checkpoint, and on twins of it that compute the same in float32 but have outliers in "
        f"their activations; {run['documents']} abstracts on which it was not trained."
    )
    return "\n".join([made_on, "", *(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])])


def task_speed_elsewhere(run: dict[str, Any]) -> str:
    """Another processor's run of the tasks' speed in a sentence."""
    ratios = ", ".join(f"{name} {found['to_transformers']:.2f} x" for name, found in run["tasks"].items())
    return f"With an earlier version, on an {_processor(run)}: {ratios}."


def comparison_elsewhere(run: dict[str, Any]) -> str:
    """Another processor's comparison in a sentence."""
    found = Counter(standing.outcome for standing in standings(run["rows"]))
    counts = ", ".join(f"{outcome} in {found[outcome]}" for outcome in ("ahead", "level", "behind"))
    return (
        f"With an earlier version, on an {_processor(run['rows'][0])}, of {found.total()} comparisons: {counts}; see "
        "[compare_avx2.md](benchmarks/results/compare_avx2.md)."
    )


def _processor(run: dict[str, Any]) -> str:
    machine = run["machine"]
    return f"{machine['cpu']} ({', '.join(machine['instruction_sets'])})"


def task_speed_table(run: dict[str, Any]) -> str:
    """A run of the tasks' speed as a Markdown table, with what it was made on."""
    ours = {"batches": f"batches of {run['batch_size']}", "one by one": "one by one"}
    ours |= {"one by one, drafts": "one by one, with drafts", "each label alone": "each label for itself"}
    header = ["documents a minute", "tokens read, written", *ours.values(), "transformers", "beside transformers"]
    rows = []
    for name, found in run["tasks"].items():
        speeds = found["documents_per_minute"]
        rows.append(
            [
                name,
                f"{found['prompt_tokens']:.0f}, {found['new_tokens']:.0f}",
                *(f"{speeds[way]:.0f}" if way in speeds else "" for way in ours),
                f"{speeds['transformers']:.0f}",
                f"{found['to_transformers']:.2f} x",
            ]
        )
    made_on = (
        f"The tasks at BioGPT's size with random weights, {run['recipe']}, {run['threads']} threads of an "
        f"{_processor(run)}, beside transformers in float32 with batches of {run['batch_size']}; "
        f"{run['documents']} documents each, medians of {run['rounds']} rounds in turns. What is written is "
        "prescribed. Ours reads and parses; transformers is given token ids."
    )
    return "\n".join([made_on, "", *(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])])


_SAID = ("relations", "relations, entities given", "answers")
"""Of what the embedded checkpoint is worth: what is said in a sentence too."""


def task_quality_table(run: dict[str, Any]) -> str:
    """What the embedded checkpoint is worth at the tasks, as a Markdown table."""
    header = ["", "measure", "float32", "int8", "baselines"]
    rows = []
    for name in (*_SAID, "relations, decoded freely"):
        standing = run[name]["standing"]
        measure = standing["headline"]
        baselines = (
            f"{baseline['name']} {_estimate(baseline['measures'][measure])}" for baseline in standing["baselines"]
        )
        rows.append(
            [
                f"{name}, {standing['documents']} documents",
                measure,
                _estimate(standing["measures"][measure]),
                _estimate(standing["second"]["measures"][measure]),
                "; ".join(baselines),
            ]
        )
    made_on = (
        "The embedded checkpoint at the two tasks that it was trained on, on documents that it was not trained on; in "
        "brackets 95 % intervals over documents. Co-occurrence is given the annotated entities, and the model where it "
        "says so."
    )
    said = [f"{name.capitalize()}: {run[name]['summary']}" for name in _SAID]
    table = [f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows]]
    return "\n".join([made_on, "", *table, "", *said])


def _estimate(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:.1%} ({low:.1%} to {high:.1%})"


def _ratios(values: dict[str, Any], **names: str) -> str:
    return ", ".join(f"{values[key]:.2f} x {name}" for key, name in names.items())


_TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "numbers": ("fp32.json", table),
    "search numbers": ("search.json", search_table),
    "quantized numbers": ("quantized.json", quantized_table),
    "quantized VNNI numbers": ("quantized_vnni.json", quantized_table),
    "shared numbers": ("shared_weights.json", shared_table),
    "quality numbers": ("quality.json", quality_table),
    "task speed numbers": ("task_speed.json", task_speed_table),
    "task speed elsewhere": ("task_speed_avx2.json", task_speed_elsewhere),
    "task quality numbers": ("task_quality.json", task_quality_table),
    "comparison": ("compare.jsonl", lambda run: summary(run["rows"])),
    "comparison elsewhere": ("compare_avx2.jsonl", comparison_elsewhere),
}
"""For each pair of marks in the README: the run, and what makes a table of it."""


def read_run(name: str) -> dict[str, Any]:
    """A committed run; of JSON lines the lines as `rows`."""
    if name.endswith(".jsonl"):
        return {"rows": read_rows(RESULTS / name)}
    run: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return run


def readme_with(text: str, marks: str, numbers: str) -> str:
    """The README with a table between its marks."""
    begin, end = f"<!-- {marks}: begin -->", f"<!-- {marks}: end -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{numbers}\n{end}{after}"


def readme_with_all(text: str, read: Callable[[str], dict[str, Any]] = read_run) -> str:
    """The README with every table as its run has it; a run that is not committed has none."""
    for marks, (name, make) in _TABLES.items():
        if not (RESULTS / name).is_file():
            continue
        text = readme_with(text, marks, make(read(name)))
    return text


def main() -> None:
    """Prints or writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    options = parser.parse_args()
    if options.write:
        README.write_text(readme_with_all(README.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, make in _TABLES.values():
        if not (RESULTS / name).is_file():
            continue
        sys.stdout.write(make(read_run(name)) + "\n\n")


if __name__ == "__main__":
    main()
