"""Checks of settings that tasks of several kinds have."""

from biogpt_onnx.runtime.errors import ConfigError


def check_min_score(task: str, min_score: object) -> None:
    """Refuses a least probability that is none.

    Args:
        task: The task's name.
        min_score: The least probability.

    Raises:
        ConfigError: It is no number from 0 to 1.
    """
    if not isinstance(min_score, int | float) or isinstance(min_score, bool) or not 0 <= min_score <= 1:
        raise ConfigError(f"task {task}: min_score is {min_score!r}: give a probability, a number from 0 to 1")
