"""Tables of servers under load, of the endurance run of ours, and of the long run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.full_size import PRESET
from benchmarks.report.captions import captioned
from benchmarks.report.runs import Run, processor
from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.reporting.numbers import MISSING

_OURS = ("ours", "ours-cache")
_NONE = ""
_LATENCY = "seconds to the first token and milliseconds between tokens, median / p95"

Part = Mapping[str, Any]


def server_load_table(run: Run) -> str:
    """Makes the tables of servers under load: of clients, of arrivals, of steps while a prompt is read, of our cost."""
    settings = run["settings"]
    model = "BioGPT's size, random weights" if settings["model"] == PRESET else "the embedded checkpoint"
    caption = (
        f"Servers on {settings['threads']} threads of an {processor(run)}, each with {model}, in the precision that "
        f"its name says, and up to {settings['rows']} requests at once; all are loaded and take turns, and the client "
        f"shares their cores. {_rounds(run)}"
    )
    tables = [captioned(f"{caption} {_remarks(run)}".strip(), *_memory(run), run)]
    for kind in _kinds(run, "closed"):
        what = f"Clients that ask all the time, {_kind(run, kind)}; tokens a second:"
        tables.append(_titled(what, *_tokens(run, kind)))
        tables.append(_titled(f"The same, {_kind(run, kind)}; {_LATENCY}:", *_latencies(run, "closed", kind)))
    if _parts(run, "open"):
        what = f"Requests that arrive independently of each other, {_kind(run, 'chat-like')}; {_LATENCY}:"
        tables.append(_titled(what, *_latencies(run, "open", "chat-like")))
    if _parts(run, "reading"):
        what = "Steps of those who write, while somebody's prompt of 512 tokens is read, beside their ordinary step:"
        tables.append(_titled(what, *_reading(run)))
    if _parts(run, "cost"):
        what = (
            "Our servers beside the runtime, and the bound that one prompt and a row's share of a step of all rows "
            "give; tokens a second:"
        )
        tables.append(_titled(what, *_cost(run)))
    return "\n\n".join(tables)


def endurance_table(run: Run) -> str:
    """Makes the table of the requests of an endurance run."""
    growth = run["growth"]
    checks = [name.replace("_", " ") for name, passed in run["checks"].items() if not passed]
    verdict = "Every check held." if not checks else f"Failed: {', '.join(checks)}."
    caption = (
        f"{run['requests']:,} requests to our server with the embedded checkpoint in {run['seconds']:.0f} seconds. "
        f"{run['compared']:,} whole answers were compared with those of the same requests alone, {run['different']:,} "
        f"differed; {run['num_wrong']:,} requests got something that they had not asked for. Behind the warm-up, "
        f"memory grew by {growth['resident_bytes_per_thousand'] / 1e6:.2f} MB for a thousand requests, threads by "
        f"{growth['threads']:.0f} and open files by {growth['open_files']:.0f}. {verdict}"
    )
    rows = [
        [kind, f"{count:,}", ", ".join(f"{status}: {many:,}" for status, many in sorted(run["statuses"][kind].items()))]
        for kind, count in run["counts"].items()
    ]
    return captioned(caption, ["requests", "how many", "status"], rows, run)


def long_run_table(run: Run) -> str:
    """Makes the table of what an hour under load made of each process."""
    held = {f"{job}: {name}": each for job, checks in run["checks"].items() for name, each in checks.items()}
    failed = [name.replace("_", " ") for name, each in held.items() if not each]
    verdict = "Every check held." if not failed else f"Failed: {', '.join(failed)}."
    caption = (
        f"{run['settings']['seconds'] / 60:.0f} minutes on an {processor(run)} with the embedded checkpoint in 8 bits, "
        f"all side by side; growth is that behind the first fifth. {verdict}"
    )
    header = ["process", "rounds, all alike", "memory", "its growth", "threads", "open files", "files in its folder"]
    rows = [
        [
            job,
            f"{samples[-1]['rounds']:,}" if "rounds" in samples[-1] else "",
            f"{run['growth'][job]['resident_bytes'] / 1e6:.0f} MB",
            f"{run['growth'][job]['resident_share']:+.1%}",
            *(f"{run['growth'][job][name]:+.0f}" for name in ("threads", "open_files", "files")),
        ]
        for job, samples in run["series"].items()
    ]
    return captioned(caption, header, rows, run)


def _titled(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"{title}\n\n{table(header, rows)}"


def _parts(run: Run, measure: str) -> list[Part]:
    return [part for part in run["parts"].values() if part["measure"] == measure]


def _kinds(run: Run, measure: str) -> list[str]:
    return list(dict.fromkeys(part["kind"] for part in _parts(run, measure)))


def _levels(run: Run, measure: str, kind: str) -> list[int]:
    return sorted({part["level"] for part in _parts(run, measure) if part["kind"] == kind})


def _rounds(run: Run) -> str:
    rounds = 1 + max((part["number"] for part in run["parts"].values()), default=0)
    return f"Medians of {rounds} rounds." if rounds > 1 else "One round."


def _kind(run: Run, kind: str) -> str:
    fewest, most, least_new, most_new = run["settings"]["kinds"][kind]
    read = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    written = f"{least_new}" if least_new == most_new else f"{least_new} to {most_new}"
    return f"{kind} ({read} tokens read, {written} written)"


def _remarks(run: Run) -> str:
    said = [f"{server['title']}: {server['remark']}." for server in run["servers"].values() if server.get("remark")]
    failed = [
        f"{server['title']} is left out: {server['failed']}."
        for server in run["servers"].values()
        if server.get("failed")
    ]
    return " ".join([*said, *failed])


def _memory(run: Run) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, server in run["servers"].items():
        if server.get("failed"):
            continue
        loads = [part for part in run["parts"].values() if part["server"] == name and "peak_resident_bytes" in part]
        peak = max((part["peak_resident_bytes"] for part in loads), default=0)
        errors = sum(sum(part["errors"].values()) for part in loads)
        client = [
            part["client_cpu_seconds"] / part["load"]["seconds"]
            for part in loads
            if part["client_cpu_seconds"] is not None
        ]
        rows.append(
            [
                server["title"],
                f"{server['after_start']['resident_bytes'] / 1e6:.0f} MB",
                f"{peak / 1e6:.0f} MB" if peak else _NONE,
                str(errors),
                f"{max(client):.1%}" if client else _NONE,
            ]
        )
    return ["", "memory, started", "at its peak", "errors", "of a core for the client, at most"], rows


def _cells(
    run: Run, measure: str, kind: str, cell: Callable[[Sequence[Part]], str]
) -> tuple[list[int], list[tuple[str, list[str]]]]:
    """Returns the levels of a measure, and for each server its title and the cells of the levels."""
    levels = _levels(run, measure, kind)
    rows = []
    for name, server in run["servers"].items():
        found = [
            [
                part
                for part in _parts(run, measure)
                if (part["server"], part["kind"], part["level"]) == (name, kind, level)
            ]
            for level in levels
        ]
        if any(found):
            rows.append((server["title"], [cell(parts) if parts else _NONE for parts in found]))
    return levels, rows


def _tokens(run: Run, kind: str) -> tuple[list[str], list[list[str]]]:
    def cell(parts: Sequence[Part]) -> str:
        requests = _middle(part["requests_per_minute"] for part in parts)
        return f"{_middle(part['tokens_per_second'] for part in parts):.0f} ({requests:.0f} requests/min)"

    levels, found = _cells(run, "closed", kind, cell)
    rows = [[title, *cells] for title, cells in found]
    for name in _OURS:
        cells = _beside_peers(run, kind, levels, name)
        if any(cells):
            rows.append([f"{run['servers'][name]['title']}, beside the best other", *cells])
    return ["", *(_clients(level) for level in levels)], rows


def _beside_peers(run: Run, kind: str, levels: Iterable[int], name: str) -> list[str]:
    cells = []
    for level in levels:
        speeds: dict[str, list[float]] = {}
        for part in _parts(run, "closed"):
            if (part["kind"], part["level"]) == (kind, level):
                speeds.setdefault(part["server"], []).append(part["tokens_per_second"])
        ours = speeds.get(name)
        best = max((median(each) for server, each in speeds.items() if server not in _OURS), default=0.0)
        cells.append(f"{median(ours) / best:.2f} x" if ours and best else _NONE)
    return cells


def _latencies(run: Run, measure: str, kind: str) -> tuple[list[str], list[list[str]]]:
    def cell(parts: Sequence[Part]) -> str:
        first = " / ".join(_figure(parts, "first_token", name, 1, ".2f") for name in ("p50", "p95"))
        between = " / ".join(_figure(parts, "between_tokens", name, 1e3, ".0f") for name in ("p50", "p95"))
        unfinished = sum(part["unfinished"] for part in parts) if measure == "open" else 0
        return f"{first} s; {between} ms" + (f"; {unfinished} unfinished" if unfinished else "")

    levels, rows = _cells(run, measure, kind, cell)
    names = [_clients(level) if measure == "closed" else f"{level} a minute" for level in levels]
    return ["", *names], [[title, *cells] for title, cells in rows]


def _reading(run: Run) -> tuple[list[str], list[list[str]]]:
    def cell(parts: Sequence[Part]) -> str:
        step = _figure(parts, "alone", "p50", 1e3, ".0f")
        worst = [_figure(parts, "to_ordinary", name, 1, ".2f") for name in ("p50", "p95", "max")]
        return f"{step} ms; {' / '.join(worst)} x"

    levels, rows = _cells(run, "reading", "text", cell)
    header = ["ordinary step; median / p95 / longest while reading", *(f"{level} writing" for level in levels)]
    return header, [[title, *cells] for title, cells in rows]


def _cost(run: Run) -> tuple[list[str], list[list[str]]]:
    rows = []
    for kind, name in dict.fromkeys((part["kind"], part["server"]) for part in _parts(run, "cost")):
        parts = [part for part in _parts(run, "cost") if (part["kind"], part["server"]) == (kind, name)]
        speeds = {
            name: _middle(part[f"{name}_tokens_per_second"] for part in parts)
            for name in ("one_after_the_other", "bound", "one_call", "called", "served")
        }
        cost = _middle(part["served_to_called_seconds"] for part in parts) - 1
        rows.append(
            [
                f"{run['servers'][name]['title']}; {_kind(run, kind)}",
                *(f"{speed:.0f}" for speed in speeds.values()),
                f"{cost:+.1%}",
                f"{speeds['served'] / speeds['bound']:.2f} x",
                _closed_beside_bound(run, parts[0], speeds["bound"]),
                f"{speeds['served'] / speeds['one_after_the_other']:.2f} x",
            ]
        )
    header = ["", "one after the other", "bound", "one call", "in process", "served", "time beside in process"]
    ratios = ["beside the bound", "clients of a closed loop beside the bound", "served beside one after the other"]
    return [*header, *ratios], rows


def _closed_beside_bound(run: Run, cost: Part, bound: float) -> str:
    """Returns the speed of a closed loop with the server, requests and clients of a part of cost, beside a bound."""
    same = ("server", "kind", "level")
    speeds = [
        part["tokens_per_second"]
        for part in _parts(run, "closed")
        if [part[name] for name in same] == [cost[name] for name in same]
    ]
    return f"{median(speeds) / bound:.2f} x" if speeds else MISSING


def _figure(parts: Sequence[Part], quantity: str, name: str, factor: float, form: str) -> str:
    values = [part[quantity][name] for part in parts if part[quantity].get(name) is not None]
    return format(median(values) * factor, form) if values else MISSING


def _clients(level: int) -> str:
    return f"{level} client" + ("" if level == 1 else "s")


def _middle(values: Iterable[float]) -> float:
    return float(median(values))
