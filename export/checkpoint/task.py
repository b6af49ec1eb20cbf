"""What a checkpoint was fine-tuned for, as far as its name or its form says."""

import re

_NAMES = {
    "re-bc5cdr-biogpt": "bc5cdr",
    "re-dti-biogpt": "kd-dti",
    "re-ddi-biogpt": "ddi",
    "dc-hoc-biogpt": "hoc",
    "qa-pubmedqa-biogpt": "pubmedqa",
    "qa-pubmedqa-biogpt-large": "pubmedqa",
    "biogpt-large-pubmedqa": "pubmedqa",
}
"""The folders in which Microsoft publishes its fine-tuned checkpoints, and the one on the hub."""

_OF_SOFT_PROMPT_SIZE = {1: "hoc"}
"""Nine rows are all others'."""


def recognised_task(source: str, soft_prompt_size: int) -> str | None:
    """The task of a checkpoint; None where nothing tells it.

    Args:
        source: see `Checkpoint`.
        soft_prompt_size: rows of its soft prompt.
    """
    for part in re.split(r"[:/@]", source.lower()):
        if part in _NAMES:
            return _NAMES[part]
    return _OF_SOFT_PROMPT_SIZE.get(soft_prompt_size)
