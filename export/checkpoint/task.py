"""Recognition of the task that a checkpoint was fine-tuned for, by its name or its soft prompt."""

import re

_BY_NAME = {
    "re-bc5cdr-biogpt": "bc5cdr",
    "re-dti-biogpt": "kd-dti",
    "re-ddi-biogpt": "ddi",
    "dc-hoc-biogpt": "hoc",
    "qa-pubmedqa-biogpt": "pubmedqa",
    "qa-pubmedqa-biogpt-large": "pubmedqa",
    "biogpt-large-pubmedqa": "pubmedqa",
}
"""Tasks by the names of the folders in which Microsoft publishes fine-tuned checkpoints, and of one on the hub."""

_BY_SOFT_PROMPT_SIZE = {1: "hoc"}
"""Tasks by the rows of the soft prompt, where no other task has as many; all others have nine."""


def recognised_task(source: str, soft_prompt_size: int) -> str | None:
    """Returns the task of a checkpoint; None where neither name nor soft prompt tells it.

    Args:
        source: origin of the checkpoint, as `Checkpoint.source` states it.
        soft_prompt_size: rows of its soft prompt.
    """
    for part in re.split(r"[:/@]", source.lower()):
        if part in _BY_NAME:
            return _BY_NAME[part]
    return _BY_SOFT_PROMPT_SIZE.get(soft_prompt_size)
