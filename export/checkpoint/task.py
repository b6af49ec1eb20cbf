"""Recognition of the task that a checkpoint was fine-tuned for, by its name or its form."""

import re

from biogpt_onnx.tasks.registry import TASK_SPECS


def recognised_task(source: str, soft_prompt_size: int) -> str | None:
    """Returns the name of a checkpoint's task; None if neither its name nor its form tells it.

    Args:
        source: The origin of the checkpoint; see `Checkpoint`.
        soft_prompt_size: Rows of its soft prompt.
    """
    by_checkpoint = {checkpoint: spec.name for spec in TASK_SPECS.values() for checkpoint in spec.checkpoints}
    for part in re.split(r"[:/@]", source.lower()):
        if part in by_checkpoint:
            return by_checkpoint[part]
    if not source.startswith("fairseq:"):
        # Rows without a name tell nothing there: programs that train with Hugging Face add some for other reasons.
        return None
    by_size = {spec.task.soft_prompt_size: spec.name for spec in TASK_SPECS.values() if spec.known_by_soft_prompt}
    return by_size.get(soft_prompt_size)
