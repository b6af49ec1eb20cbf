"""Whether a bundle was made for a task."""

from biogpt_onnx.runtime.bundle import TASKS, Manifest
from biogpt_onnx.runtime.errors import ConfigError


def check_bundle(manifest: Manifest, task: str, soft_prompt_size: int | None) -> None:
    """Refuses a bundle that was fine-tuned for something else, or, where it does not say for what, looks so.

    Args:
        manifest: the bundle's.
        task: the task's name.
        soft_prompt_size: rows of the soft prompt with which the task is trained; None for any, 0 where none is used.

    Raises:
        ConfigError: says what the bundle is for.
    """
    if manifest.task == task:
        return
    if manifest.task is not None:
        raise ConfigError(
            f"the bundle is fine-tuned for {manifest.task}, not for {task}: use a checkpoint that was fine-tuned for it"
        )
    rows = manifest.architecture.soft_prompt_size
    if soft_prompt_size and rows != soft_prompt_size:
        has = f"a soft prompt of {rows}" if rows else "no soft prompt, so it is hardly fine-tuned at all"
        remedy = f" --task {task}" if task in TASKS else ""
        raise ConfigError(
            f"the bundle has {has}, {task} is trained with one of {soft_prompt_size}: use a checkpoint that was "
            f"fine-tuned for it; if this one was, export it with{remedy or ' its task'}"
        )
