"""Tables of BioGPT's tasks: documents per minute, and the embedded checkpoint's scores."""

from typing import Any

from benchmarks.report.captions import captioned, commit
from benchmarks.report.runs import Run, processor

_SUMMARIZED = ("relations", "relations, entities given", "answers", "answers, conclusion shown")
"""Evaluations whose summary stands below the table."""


def task_speed_table(run: Run) -> str:
    """Makes the table of documents per minute beside transformers."""
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
    caption = (
        f"The tasks at BioGPT's size with random weights, {run['recipe']}, {run['threads']} threads of an "
        f"{processor(run)}, beside transformers in float32 with batches of {run['batch_size']}; "
        f"{run['documents']} documents each, medians of {run['rounds']} rounds in turns. What is written is "
        "prescribed. Ours reads and parses; transformers is given token ids."
    )
    return captioned(caption, header, rows, run)


def task_speed_elsewhere(run: Run) -> str:
    """Makes a sentence of another processor's run of the tasks' speed."""
    ratios = ", ".join(f"{name} {found['to_transformers']:.2f} x" for name, found in run["tasks"].items())
    return f"With commit {commit(run)}, on an {processor(run)}: {ratios}."


def task_quality_table(run: Run) -> str:
    """Makes the table of the embedded checkpoint's scores at the tasks, beside baselines."""
    header = ["", "measure", "float32", "int8", "baselines"]
    rows = []
    for name in (*_SUMMARIZED, "relations, decoded freely"):
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
    caption = (
        "The embedded checkpoint at the two tasks that it was trained on, on documents that it was not trained on; in "
        "brackets 95 % intervals over documents. Co-occurrence is given the annotated entities, and the model where it "
        "says so."
    )
    summaries = "\n".join(f"- {name.capitalize()}: {run[name]['summary']}" for name in _SUMMARIZED)
    return f"{captioned(caption, header, rows, run)}\n\n{summaries}"


def windows_table(run: Run) -> str:
    """Makes the table of long documents, cut and in windows."""
    header = ["document", "read", "recall", "precision", "median time"]
    rows = []
    for size, found in run.items():
        if not size.endswith("abstracts"):
            continue
        cut = found["cut"]["median_seconds"]
        for way in ("cut", "windows", "windows as long as fits", "each abstract alone"):
            seconds = found[way]["median_seconds"]
            rows.append(
                [
                    f"{size}, {found['documents']} documents" if way == "cut" else "",
                    way,
                    f"{found[way]['recall']:.1%}",
                    f"{found[way]['precision']:.1%}",
                    f"{seconds:.2f} s, {seconds / cut:.1f} x",
                ]
            )
    caption = (
        "Held-out abstracts of BC5CDR behind one another, as documents that are too long: relations by the embedded "
        f"checkpoint in float32 on an {processor(run)}, without given entities, the four ways in turns on each "
        "document. Times are beside that of cutting."
    )
    return captioned(caption, header, rows, run)


def _estimate(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['value']:.1%} ({low:.1%} to {high:.1%})"
