"""Gold answers of the tasks, read from the files in which they are published."""

from biogpt_onnx.scores.gold.gold_set import GoldSet, annotated
from biogpt_onnx.scores.gold.task_files import read_gold

__all__ = ["GoldSet", "annotated", "read_gold"]
