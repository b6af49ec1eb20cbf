"""The README's table from a committed run: `python benchmarks/report.py` prints it, `--write` puts it there."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RUN = ROOT / "benchmarks" / "results" / "fp32.json"
README = ROOT / "README.md"
_KINDS = {"prepacked": "prepacked", "mapped": "not prepacked", "transformers": "transformers"}
BEGIN, END = "<!-- numbers: begin -->", "<!-- numbers: end -->"


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
    processor = f"{machine['cpu']} ({', '.join(machine['instruction_sets'])})"
    made_on = (
        f"BioGPT's size with random weights, float32, {decoding['threads']} threads of an {processor}, {versions} "
        f"(eager); medians of {decoding['rounds']} prefills and {steps} steps, in turns. The floor is the time to read "
        f"{decoding['step_bytes'] / 1e9:.2f} GB of weights at {bandwidth}, the median read bandwidth of the same "
        f"run (the best was {best})."
    )
    lines = [made_on, "", "| what | measured | |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def readme_with(text: str, numbers: str) -> str:
    """The README with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{numbers}\n{END}{after}"


def main() -> None:
    """Prints or writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    numbers = table(json.loads(RUN.read_text(encoding="utf-8")))
    if options.write:
        README.write_text(readme_with(README.read_text(encoding="utf-8"), numbers), encoding="utf-8")
    else:
        sys.stdout.write(numbers + "\n")


if __name__ == "__main__":
    main()
