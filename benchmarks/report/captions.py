"""Tables with the sentences that say what they were measured on."""

from collections.abc import Sequence

from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table

_UNCOMMITTED = "-dirty"
"""What a measuring program puts behind the commit where files differed from it."""


def captioned(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *runs: Run) -> str:
    """Returns a Markdown table below its caption, which names the commits of the runs, or sections of one."""
    return f"{caption} {_commits(runs)}\n\n{table(header, rows)}"


def _commits(runs: Sequence[Run]) -> str:
    commits = list(dict.fromkeys(map(commit, runs)))
    return f"{'Commit' if len(commits) == 1 else 'Commits'} {' and '.join(commits)}."


def commit(run: Run) -> str:
    """Returns the commit of a run, or of a row, and says if files differed from it."""
    name = str(run["machine"]["commit"])
    if name.endswith(_UNCOMMITTED):
        return f"{name.removesuffix(_UNCOMMITTED)} with uncommitted changes"
    return name


def rounds_in_turns(run: Run) -> str:
    """Returns what a run measured the subjects of BioGPT's size on, and how often, in turns."""
    return (
        f"BioGPT's size with random weights, {run['threads']} threads of an {processor(run)}, medians of "
        f"{run['rounds']} rounds in turns"
    )


def ratios(values: dict[str, float], **names: str) -> str:
    """Returns ratios in words.

    Args:
        values: ratios by key.
        names: for each key what it is a ratio to.
    """
    return ", ".join(f"{values[key]:.2f} x {name}" for key, name in names.items())
