import inspect
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import ConfigError, tasks
from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.scores.gold import GoldSet
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.scores.reports.task_report import report_task
from biogpt_onnx.tasks import TASK_SPECS, Document, TaskSpec, task_spec
from biogpt_onnx.tasks.published import PUBLISHED_SPECS
from biogpt_onnx.tasks.registry import evaluated_specs, fine_tuned_names, tasks_of
from biogpt_onnx.tasks.spec import load_function
from makers.task_results import answer, classification, induced, relations

EVALUATED = [pytest.param(spec, id=spec.name) for spec in evaluated_specs()]
ONE = (Document("a text", question="a question"),)
# What is true of one document of each task, and a result that says so.
SCORED: dict[str, tuple[GoldSet[Any], Any]] = {
    "bc5cdr": (GoldSet(ONE, (frozenset({("C", "D")}),), Lexicon({"a": "C"}, {"b": "D"})), induced(("a", "b"))),
    "kd-dti": (GoldSet(ONE, (frozenset({("a", "inhibitor", "b")}),)), relations(("a", "inhibitor", "b"))),
    "ddi": (GoldSet(ONE, (frozenset({("a", "effect", "b")}),)), relations(("a", "effect", "b"))),
    "hoc": (GoldSet(ONE, (frozenset({"empty"}),)), classification("empty")),
    "pubmedqa": (GoldSet(ONE, ("yes",)), answer("yes")),
}


def test_no_task_hides_another_one() -> None:
    assert len(TASK_SPECS) == len(PUBLISHED_SPECS)
    checkpoints = [name for spec in PUBLISHED_SPECS for name in spec.checkpoints]
    assert len(set(checkpoints)) == len(checkpoints)
    by_size = [spec.task.soft_prompt_size for spec in PUBLISHED_SPECS if spec.known_by_soft_prompt]
    assert all([spec.task.soft_prompt_size for spec in PUBLISHED_SPECS].count(size) == 1 for size in by_size)
    # They are looked for in lower case.
    assert checkpoints == [name.lower() for name in checkpoints]


def test_tasks_are_found_by_name_and_by_class() -> None:
    assert task_spec("bc5cdr").task is tasks.BC5CDR
    assert tasks_of(tasks.RelationTask) == (tasks.BC5CDR, tasks.KD_DTI, tasks.DDI)
    assert tasks_of(tasks.AnswerTask) == (tasks.PUBMEDQA,)
    assert "description" not in fine_tuned_names()


def test_an_unknown_task_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"^task is 'ner': known are bc5cdr, kd-dti, ddi, hoc, pubmedqa, description$"
    ):
        task_spec("ner")


def test_a_specification_says_what_a_task_is_about() -> None:
    assert (task_spec("kd-dti").kind, task_spec("kd-dti").entity_types) == ("relation extraction", ("Chemical", "Gene"))
    assert (task_spec("hoc").kind, task_spec("hoc").labels) == ("classification", tasks.HOC.labels)
    assert (task_spec("pubmedqa").kind, task_spec("pubmedqa").entity_types) == ("question answering", ())
    assert (task_spec("description").kind, task_spec("description").labels) == ("description", ())
    assert [spec.name for spec in TASK_SPECS.values() if spec.predicts_labels] == ["hoc", "pubmedqa"]


@pytest.mark.parametrize("spec", EVALUATED)
def test_a_tasks_gold_reader_and_report_are_called_as_their_specification_promises(spec: TaskSpec) -> None:
    assert spec.evaluation is not None
    reader = inspect.signature(load_function(spec.evaluation.gold_reader))
    labels = {"labels": spec.labels} if spec.predicts_labels else {}
    reader.bind(Path("gold"), **labels, **({"entities": None} if spec.evaluation.gold_entities else {}))
    report = inspect.signature(load_function(spec.evaluation.report))
    settings: dict[str, Any] = {"names": ("a", "b"), "resampling": None, **labels}
    settings |= {"training": None} if spec.predicts_labels else {}
    report.bind(task=spec.name, gold_set=None, predictions=[], second=None, **settings)


@pytest.mark.parametrize("spec", EVALUATED)
def test_a_report_has_the_metrics_and_the_title_of_its_specification(spec: TaskSpec) -> None:
    assert spec.evaluation is not None
    gold_set, prediction = SCORED[spec.name]
    report: Any = report_task(spec.name, gold_set, [prediction], resampling=Resampling(resamples=10))
    assert tuple(report.comparison.measures) == spec.evaluation.metrics
    assert report.comparison.headline == spec.evaluation.metrics[0]
    assert report.comparison.measures[report.comparison.headline].value == 1
    assert report.to_dict()["task"] == spec.name
    assert report.to_markdown().startswith(f"# {spec.title}\n")


def test_a_task_without_gold_answers_is_not_scored() -> None:
    with pytest.raises(ConfigError, match="the task description has no gold answers"):
        report_task("description", SCORED["hoc"][0], [None])
