"""Tasks of BioGPT: relations, answers, classes and descriptions as data, with entities traced to the document's text.

import biogpt_onnx
from biogpt_onnx import tasks

model = biogpt_onnx.load("bundles/bc5cdr")
(found,) = tasks.run("bc5cdr", model, ["Cisplatin caused renal failure in two patients."])
for relation in found.relations:
    print(relation.head, relation.head_span, relation.tail, relation.tail_span)
"""

from biogpt_onnx.tasks.custom import Task
from biogpt_onnx.tasks.description import DescriptionTask
from biogpt_onnx.tasks.document import Document, NamedEntity
from biogpt_onnx.tasks.labels import AnswerTask, ClassificationTask
from biogpt_onnx.tasks.prompts.building import Prepared, Reading, TooLong
from biogpt_onnx.tasks.prompts.source import Source
from biogpt_onnx.tasks.prompts.template import PromptTemplate
from biogpt_onnx.tasks.published import (
    BC5CDR,
    DDI,
    DESCRIPTION,
    DRUG_DRUG_LABELS,
    DRUG_TARGET_LABELS,
    HALLMARKS,
    HOC,
    KD_DTI,
    NO_HALLMARK,
    PUBMEDQA,
)
from biogpt_onnx.tasks.registry import TASK_SPECS, get, load, register, task_spec
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.results import Answer, Classification, Description, Relation, Relations, Span, TaskResult
from biogpt_onnx.tasks.running import (
    CombiningTask,
    RunnableTask,
    answer_document,
    check_task,
    combined,
    prepare_for,
    prompts_for,
)
from biogpt_onnx.tasks.spec import Evaluation, SpecifiedTask, TaskSpec
from biogpt_onnx.tasks.streaming.stream import StreamItem, run, stream

__all__ = [
    "BC5CDR",
    "DDI",
    "DESCRIPTION",
    "DRUG_DRUG_LABELS",
    "DRUG_TARGET_LABELS",
    "HALLMARKS",
    "HOC",
    "KD_DTI",
    "NO_HALLMARK",
    "PUBMEDQA",
    "TASK_SPECS",
    "Answer",
    "AnswerTask",
    "Classification",
    "ClassificationTask",
    "CombiningTask",
    "Description",
    "DescriptionTask",
    "Document",
    "Evaluation",
    "NamedEntity",
    "Prepared",
    "PromptTemplate",
    "Reading",
    "Relation",
    "RelationTask",
    "Relations",
    "RunnableTask",
    "Source",
    "Span",
    "SpecifiedTask",
    "StreamItem",
    "Task",
    "TaskResult",
    "TaskSpec",
    "TooLong",
    "answer_document",
    "check_task",
    "combined",
    "get",
    "load",
    "prepare_for",
    "prompts_for",
    "register",
    "run",
    "stream",
    "task_spec",
]
