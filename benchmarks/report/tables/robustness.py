"""Tables of what withstood: work that was disturbed, readers that got strange inputs, tests that saw changed code."""

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor

_WHOLE = "whole"


def kills_table(run: Run) -> str:
    """Makes the table of the commands, and the server, that were disturbed at random moments."""
    rows = [[job, *_kills_of(faults.values())] for job, faults in run["jobs"].items()]
    faults = dict.fromkeys(fault for job in run["jobs"].values() for fault in job)
    left_out = f"; not tried here: {', '.join(run['left_out'])}" if run["left_out"] else ""
    caption = (
        f"{run['trials']:,} trials, at most {run['trials_each']} of each job in each of these ways: "
        f"{', '.join(faults)}{left_out}. Seed {run['seed']}, on an {processor(run)}."
    )
    return captioned(caption, ["job", "trials", "output whole", "absent or as before", "wrong"], rows, run)


def _kills_of(faults: Iterable[Mapping[str, Any]]) -> list[str]:
    found = list(faults)
    trials = sum(fault["trials"] for fault in found)
    whole = sum(fault["left"].get(_WHOLE, 0) for fault in found)
    wrong = sum(len(fault["problems"]) for fault in found)
    return [f"{trials}", f"{whole}", f"{trials - whole}", f"{wrong}"]


def fuzzing_table(run: Run) -> str:
    """Makes the table of the readers of files and requests that were given strange inputs."""
    rows = [
        [
            reader,
            f"{found['inputs']:,}",
            found["guided_by"],
            f"{found['outcomes']}",
            f"{found['slowest_seconds']:.2f} s",
            f"{found['largest_growth_bytes'] / 1e6:.0f} MB",
            f"{len(found['problems'])}",
            found["cpu"],
            found["commit"],
        ]
        for reader, found in run["readers"].items()
    ]
    caption = (
        f"{run['inputs']:,} inputs, made anew from those that led to other code or to another outcome before, and "
        f"inputs of a megabyte, which may take {run['most_seconds']:g} s of the processor and "
        f"{run['most_bytes'] / 1e6:.0f} MB. Seed {run['seed']}."
    )
    header = ["reader", "inputs", "guided by", "outcomes", "slowest", "most memory", "problems", "processor", "commit"]
    return captioned(caption, header, rows, run)


def mutation_table(run: Run) -> str:
    """Makes the table of the changes in the code that tests noticed."""
    rows = [
        [
            room,
            f"{found['mutants']}",
            f"{found['caught']}",
            f"{found['caught_share']:.0%}",
            f"{found['survived']}",
            f"{found['undecided']}",
        ]
        for room, found in run["rooms"].items()
    ]
    caption = (
        f"A sample of changes in one place of the code each, drawn by seed {run['seed']}; tests had "
        f"{run['seconds_each']:g} s to notice one, on an {processor(run)}."
    )
    header = ["room", "changes", "caught", "share", "noticed by no test", "undecided when the time was up"]
    return captioned(caption, header, rows, run)
