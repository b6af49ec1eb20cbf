"""Label files: the labels of a task, one a line."""

from pathlib import Path

from biogpt_onnx.runtime.errors import ConfigError


def read_labels(path: Path) -> tuple[str, ...]:
    """Reads the labels of a UTF-8 file, one a line; empty lines are skipped.

    Raises:
        ConfigError: The file is not UTF-8, or holds fewer than two labels or one of them twice.
        OSError: The file cannot be read.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): give a label a line") from error
    first_on: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        label = line.strip()
        if label in first_on:
            raise ConfigError(
                f"{path}: {label!r} stands on line {first_on[label]} and on line {number}: keep one of them"
            )
        if label:
            first_on[label] = number
    if len(first_on) < 2:  # noqa: PLR2004 -- a choice
        raise ConfigError(f"{path} holds {len(first_on)} labels: give at least two, one a line")
    return tuple(first_on)
