"""Tables with the sentences that say what they were measured on."""

from collections.abc import Sequence

from benchmarks.report.runs import Run
from biogpt_onnx.reporting.markdown import table

_UNCOMMITTED = "-dirty"
"""What a measuring program puts behind the commit where files differed from it."""


def captioned(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *runs: Run) -> str:
    """Returns a Markdown table below its caption, which names the commits of the runs, or sections of one."""
    return f"{caption} {_commits(runs)}\n\n{table(header, rows)}"


def _commits(runs: Sequence[Run]) -> str:
    commits = list(dict.fromkeys(str(run["machine"]["commit"]) for run in runs))
    named = " and ".join(map(_commit, commits))
    return f"{'Commit' if len(commits) == 1 else 'Commits'} {named}."


def _commit(commit: str) -> str:
    if commit.endswith(_UNCOMMITTED):
        return f"{commit.removesuffix(_UNCOMMITTED)} with uncommitted changes"
    return commit


def ratios(values: dict[str, float], **names: str) -> str:
    """Returns ratios in words.

    Args:
        values: ratios by key.
        names: for each key what it is a ratio to.
    """
    return ", ".join(f"{values[key]:.2f} x {name}" for key, name in names.items())
