"""Calibration in a report."""

from collections.abc import Iterator, Mapping

from biogpt_onnx.scores.calibration import Calibration
from biogpt_onnx.scores.markdown import percent, table


def calibration_section(calibrations: Mapping[str, Calibration]) -> Iterator[str]:
    """What a report says of calibration: the errors, and of each model the reliability table without empty bins."""
    for name, found in calibrations.items():
        left_out = f", {found.left_out:,} without a known label left out" if found.left_out else ""
        yield (
            f"The expected calibration error of {name} is {percent(found.error)}, of {found.count:,} answers in "
            f"{len(found.bins)} bins{left_out}."
        )
        if found.count:
            yield table(
                ["confidence", "answers", "mean confidence", "right"],
                [
                    [
                        f"{each.low:.1%} to {each.high:.1%}",
                        f"{each.count:,}",
                        percent(each.confidence or 0.0),
                        percent(each.accuracy or 0.0),
                    ]
                    for each in found.bins
                    if each.count
                ],
            )
