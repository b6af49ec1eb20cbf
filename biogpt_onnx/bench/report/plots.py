"""Plots of a run: latency by variant and by context, throughput by batch, and quality by speed."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from biogpt_onnx.bench.contender import OURS
from biogpt_onnx.bench.measuring.measures import DECODE_RATE, TIME_PER_OUTPUT_TOKEN, TIME_TO_FIRST_TOKEN
from biogpt_onnx.bench.report.row_values import measured, name_of, p50
from biogpt_onnx.bench.rows import Row
from biogpt_onnx.bench.scenarios import HEADLINE
from biogpt_onnx.reporting.figures import COLOURS, has_matplotlib, new_figure, save_figure
from biogpt_onnx.runtime.errors import ConfigError

_MARKERS = "osD^vPX*<>hp"
_STYLES = ("-", "--", ":", "-.")
_MILLISECONDS = 1e3


def check_matplotlib() -> None:
    """Refuses to draw without matplotlib.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if not has_matplotlib():
        raise ConfigError('plots need matplotlib: pip install "biogpt-onnx[plot]"')


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draws every plot that the rows have numbers for, as SVG; equal rows have equal files.

    Args:
        rows: rows of a run.
        folder: an existing folder.

    Returns:
        The files that were written.

    Raises:
        ConfigError: matplotlib is not installed.
        OSError: a file cannot be written.
    """
    check_matplotlib()
    plots: dict[str, Callable[[Any, Sequence[Row]], bool]] = {
        "latency-by-variant": _latency_by_variant,
        "latency-by-context": _latency_by_context,
        "throughput-by-batch": _throughput_by_batch,
        "quality-by-speed": _quality_by_speed,
    }
    written = []
    for name, plot in plots.items():
        figure = new_figure(9, 5.5)
        if plot(figure, rows):
            written.append(folder / f"{name}.svg")
            save_figure(figure, written[-1])
    return written


def _latency_by_variant(figure: Any, rows: Sequence[Row]) -> bool:  # noqa: ANN401 -- matplotlib ships no types
    found = [row for row in _grid(rows) if row["scenario"]["name"] == HEADLINE and p50(row, TIME_PER_OUTPUT_TOKEN)]
    found.sort(key=lambda row: p50(row, TIME_PER_OUTPUT_TOKEN) or 0.0, reverse=True)
    axes = figure.subplots()
    for height, row in enumerate(found):
        latency = row["measures"][TIME_PER_OUTPUT_TOKEN]
        middle, is_ours = latency["p50"] * _MILLISECONDS, row["contender"]["family"] == OURS
        ends = [end * _MILLISECONDS for end in latency["interval"] or (latency["p50"], latency["p50"])]
        axes.barh(
            height,
            middle,
            xerr=[[max(0.0, middle - ends[0])], [max(0.0, ends[1] - middle)]],
            color=COLOURS[0] if is_ours else COLOURS[4],
            label=_once(axes, "biogpt-onnx" if is_ours else "others"),
            capsize=3,
        )
        floor = row["floors"]["step_bandwidth_seconds"] * _MILLISECONDS
        label = _once(axes, "floor: its weights read once")
        axes.plot([floor, floor], [height - 0.4, height + 0.4], color="black", linewidth=2.5, label=label)
        axes.text(max(middle, ends[1]), height, f"  {middle:.1f}", va="center")
    axes.set_yticks(range(len(found)), [name_of(row) for row in found])
    axes.set_xlabel("time per output token, ms (median, 95 % interval)")
    axes.margins(x=0.1)
    axes.set_title("A greedy step behind a prompt of 128 tokens")
    return _finish(axes, drawn=bool(found))


def _latency_by_context(figure: Any, rows: Sequence[Row]) -> bool:  # noqa: ANN401 -- as above
    step, first = figure.subplots(1, 2)
    for axes, measure, title in (
        (step, TIME_PER_OUTPUT_TOKEN, "time per output token, ms"),
        (first, TIME_TO_FIRST_TOKEN, "time to first token, ms"),
    ):
        _lines(axes, rows, "prompt_tokens", measure, _MILLISECONDS)
        axes.set_xlabel("prompt, tokens")
        axes.set_ylabel(title)
        axes.set_yscale("log")
    figure.suptitle("Latency against the length of the context, one prompt, greedy")
    drawn = [_finish(axes, drawn=bool(axes.lines), legend=False) for axes in (step, first)]
    # One legend outside, because both axes have the same lines and no room for it.
    figure.legend(*step.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return all(drawn)


def _throughput_by_batch(figure: Any, rows: Sequence[Row]) -> bool:  # noqa: ANN401 -- as above
    axes = figure.subplots()
    _lines(axes, rows, "batch_size", DECODE_RATE, 1.0)
    axes.set_xlabel("prompts in a batch")
    axes.set_ylabel("new tokens a second, of all prompts together")
    axes.set_title("Throughput against batch, prompts of 128 tokens, greedy")
    axes.set_ylim(bottom=0)
    return _finish(axes, drawn=bool(axes.lines))


def _quality_by_speed(figure: Any, rows: Sequence[Row]) -> bool:  # noqa: ANN401 -- as above
    speeds = {
        name_of(row): p50(row, TIME_PER_OUTPUT_TOKEN) for row in _grid(rows) if row["scenario"]["name"] == HEADLINE
    }
    found = [row for row in measured(rows, "quality") if speeds.get(name_of(row))]
    twins = list(dict.fromkeys(row["scenario"]["name"] for row in found))
    axes = figure.subplots()
    for row in found:
        twin = twins.index(row["scenario"]["name"])
        is_ours = row["contender"]["family"] == OURS
        speed = (speeds[name_of(row)] or 0.0) * _MILLISECONDS
        increase = row["quality"]["perplexity_increase"]["value"] * 100
        axes.plot(
            speed,
            increase,
            _MARKERS[twin],
            color=COLOURS[0] if is_ours else COLOURS[1],
            fillstyle="full" if twin == 0 else "none",
            label=_once(axes, f"{'biogpt-onnx' if is_ours else 'others'}, {twins[twin]}"),
        )
        axes.annotate(name_of(row), (speed, increase), textcoords="offset points", xytext=(6, 4), fontsize=8)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_xlabel("time per output token, ms")
    axes.set_ylabel("perplexity beside float32, % more")
    # Leaves room for the names.
    axes.margins(x=0.15)
    axes.set_title("Quality against speed: lower left is better")
    return _finish(axes, drawn=bool(found))


def _grid(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows of greedy generations in cells of the grid, on the largest number of threads."""
    found = [row for row in measured(rows) if _is_plain(row)]
    most = max((row["threads"] for row in found), default=0)
    return [row for row in found if row["threads"] == most]


def _is_plain(row: Row) -> bool:
    scenario = row["scenario"]
    return scenario["kind"] == "generation" and not scenario["workload"] and scenario["num_beams"] == 1


def _lines(axes: Any, rows: Sequence[Row], along: str, measure: str, scale: float) -> None:  # noqa: ANN401 -- as above
    """Draws a line of each contender over the headline scenario and those that differ from it in one setting alone."""
    ticks: set[int] = set()
    for number, (name, points) in enumerate(_series(rows, along, measure)):
        ticks |= {x for x, _ in points}
        axes.plot(
            [x for x, _ in points],
            [y * scale for _, y in points],
            marker=_MARKERS[number % len(_MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            linestyle=_STYLES[number // len(COLOURS) % len(_STYLES)],
            label=name,
        )
    # Set after the scale, which would replace them by its own ticks.
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks), [str(tick) for tick in sorted(ticks)])


def _series(rows: Sequence[Row], along: str, measure: str) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    fixed = {"prompt_tokens": 128, "new_tokens": 32, "batch_size": 1}
    del fixed[along]
    found = [row for row in _grid(rows) if all(row["scenario"][name] == value for name, value in fixed.items())]
    for name in dict.fromkeys(map(name_of, found)):
        points = sorted(
            (row["scenario"][along], value)
            for row in found
            if name_of(row) == name and (value := p50(row, measure)) is not None
        )
        if len(points) > 1:
            yield name, points


def _once(axes: Any, label: str) -> str | None:  # noqa: ANN401 -- as above
    """Returns the label if the legend does not have it yet."""
    return None if label in axes.get_legend_handles_labels()[1] else label


def _finish(axes: Any, *, drawn: bool, legend: bool = True) -> bool:  # noqa: ANN401 -- as above
    axes.grid(visible=True, alpha=0.3)
    axes.set_axisbelow(True)
    if drawn and legend:
        axes.legend(fontsize=8)
    return drawn
