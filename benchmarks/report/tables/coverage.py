"""Table of how often intervals of scores hold what they say."""

from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run

_WANTED = (0.92, 0.98)
_MOST_NAMED = 3


def coverage_table(run: Run) -> str:
    """Makes the table of the simulated coverage of intervals, and the sentence on false alarms."""
    found = run["coverage"]
    sizes = sorted({each["documents"] for each in found})
    kinds = list(dict.fromkeys(each["kind"] for each in found))
    low, high = _WANTED
    rows = []
    for kind in kinds:
        cells = [each for each in found if each["kind"] == kind]
        below = [each for each in cells if each["held"] < low]
        above = [each for each in cells if each["held"] > high]
        rows.append(
            [
                kind,
                *(_range([each["held"] for each in cells if each["documents"] == size]) for size in sizes),
                "; ".join(map(_place, below)) or "none",
                "; ".join(map(_place, above)) or "none"
                if len(above) <= _MOST_NAMED
                else f"{len(above)} of {len(cells)}",
            ]
        )
    caption = (
        f"How often 95 % intervals hold the truth, over rates from 0.05 to 0.99, of {run['simulations']:,} simulations "
        "each; accuracy is computed exactly."
    )
    header = ["interval of", *(f"{size} documents" for size in sizes), f"below {low:.0%}", f"above {high:.0%}"]
    alarms = "; ".join(
        f"{each['kind']}, {each['documents']} documents: {each['share']:.1%}" for each in run["false_alarms"]
    )
    return f"{captioned(caption, header, rows, run)}\n\nTwo equally good systems have p < 0.05 in: {alarms}."


def _range(shares: list[float]) -> str:
    return f"{min(shares):.1%} to {max(shares):.1%}"


def _place(cell: Run) -> str:
    rate = cell["rate"]
    where = f"{rate:g}" if isinstance(rate, float) else f"{rate[0]:g} and {rate[1]:g}, apart in {rate[2]:.0%},"
    return f"{where} of {cell['documents']}: {cell['held']:.1%}"
