"""Gold answers of the tasks, read from the files in which they are published."""

from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.scores.gold.task_files import TASKS, Task, read_gold

__all__ = ["TASKS", "GoldSet", "Task", "annotated", "read_gold"]
