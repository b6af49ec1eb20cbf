"""Bundle check: refuses bundles that were fine-tuned for another task."""

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError


def check_bundle(manifest: Manifest, task: str, soft_prompt_size: int | None) -> None:
    """Refuses a bundle that was fine-tuned for another task.

    The manifest's task decides; if it records none, the size of the soft prompt does.

    Args:
        manifest: The bundle's manifest.
        task: The task's name.
        soft_prompt_size: Rows of the soft prompt that the task was trained with; None accepts any number, 0 stands for
            a task without a soft prompt.

    Raises:
        ConfigError: The bundle is for another task; the message names both.
    """
    if manifest.head is not None:
        command = "classify" if manifest.head.kind == "sequence-classification" else "tag"
        raise ConfigError(
            f"the bundle has a {manifest.head.kind} head and cannot generate, which {task} needs: use the command "
            f"{command}, or another bundle"
        )
    if manifest.task == task:
        return
    if manifest.task is not None:
        raise ConfigError(
            f"the bundle is fine-tuned for {manifest.task}, not for {task}: use a checkpoint that was fine-tuned for it"
        )
    rows = manifest.architecture.soft_prompt_size
    if soft_prompt_size and rows != soft_prompt_size:
        has = f"a soft prompt of {rows}" if rows else "no soft prompt, so it is hardly fine-tuned at all"
        raise ConfigError(
            f"the bundle has {has}, {task} is trained with one of {soft_prompt_size}: use a checkpoint that was "
            f"fine-tuned for it; if this one was, export it with --task {task}"
        )
