"""Corpora: documents of any number in work units, answered by any number of processes and machines, and merged.

from biogpt_onnx import corpus

corpus.prepare(["reports/"], "run", "bc5cdr")
corpus.work("run", "bundles/bc5cdr-int8")
corpus.merge("run", "relations.jsonl")
"""

from biogpt_onnx.corpus.cluster.nodes import ClusterCapacity
from biogpt_onnx.corpus.estimate import Estimate, Factor, estimate
from biogpt_onnx.corpus.merge import MergeReport, merge
from biogpt_onnx.corpus.prepare import Preparation, prepare
from biogpt_onnx.corpus.results import ErrorKind
from biogpt_onnx.corpus.settings import CorpusSettings
from biogpt_onnx.corpus.status import RunStatus, status
from biogpt_onnx.corpus.work import work
from biogpt_onnx.corpus.work_on_ray import work_on_ray
from biogpt_onnx.corpus.working.capacity import Capacity
from biogpt_onnx.corpus.working.shard import Shard
from biogpt_onnx.corpus.working.tally import WorkReport
from biogpt_onnx.corpus.working.tries import SetAside

__all__ = [
    "Capacity",
    "ClusterCapacity",
    "CorpusSettings",
    "ErrorKind",
    "Estimate",
    "Factor",
    "MergeReport",
    "Preparation",
    "RunStatus",
    "SetAside",
    "Shard",
    "WorkReport",
    "estimate",
    "merge",
    "prepare",
    "status",
    "work",
    "work_on_ray",
]
