import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, tasks
from biogpt_onnx.reporting.bootstrap import Resampling
from biogpt_onnx.scores.gold import GoldSet
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.scores.reports.task_report import report_task
from biogpt_onnx.tasks import TASK_SPECS, Document, TaskSpec, registry, task_spec
from biogpt_onnx.tasks.published import PUBLISHED_SPECS
from biogpt_onnx.tasks.registry import evaluated_specs, fine_tuned_names, spec_of_bundle, tasks_of
from biogpt_onnx.tasks.spec import OWN_EVALUATIONS, load_function
from makers.scripted import scripted
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


def test_a_mistyped_name_is_met_with_the_name_that_was_probably_meant() -> None:
    with pytest.raises(ConfigError, match=r"^task is 'BC5-CDR' \(did you mean 'bc5cdr'\?\): known are bc5cdr, "):
        tasks.get("BC5-CDR")


def test_a_file_without_its_ending_is_met_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(DEFINITION)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^task is 'mine' \(did you mean 'mine\.toml'\?\): known are bc5cdr, "):
        tasks.get("mine")


@pytest.fixture
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes off again what a test registers."""
    specs = dict(registry._SPECS)
    monkeypatch.setattr(registry, "_SPECS", specs)
    monkeypatch.setattr(registry, "TASK_SPECS", specs)


OWN = tasks.RelationTask("mine", "that {head} leads to {tail}", relation="cause", soft_prompt_size=None)
DEFINITION = """kind = "relations"
name = "mine"
statement = "that {head} leads to {tail}"
relation = "cause"
"""


def test_a_task_is_got_by_its_name_or_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEFINITION)
    assert tasks.get("ddi") is tasks.DDI
    assert tasks.get(path) == tasks.get(str(path)) == tasks.load(path) == OWN
    # Reading a file registers nothing.
    with pytest.raises(ConfigError, match="task is 'mine'"):
        tasks.get("mine")


@pytest.mark.usefixtures("_own_registry")
def test_a_registered_task_is_known_by_its_name() -> None:
    spec = tasks.register(OWN)
    assert (spec.name, spec.title, spec.kind, spec.fine_tuned) == ("mine", "mine", "relation extraction", True)
    assert tasks.get("mine") is OWN
    assert OWN in tasks_of(tasks.RelationTask)
    assert spec in evaluated_specs()
    assert tasks.register(OWN) is spec
    other = tasks.TaskSpec(tasks.AnswerTask("mine", "{label}.", ("a", "b")), "Mine")
    with pytest.raises(ConfigError, match="task mine is registered already, as another task: give it another name"):
        tasks.register(other)
    with pytest.raises(ConfigError, match="a task of class Task cannot be registered"):
        tasks.register(tasks.Task("x", lambda text, _: text))  # type: ignore[arg-type] # the mistake


def test_a_task_with_other_settings_is_scored_as_the_task_of_its_name() -> None:
    changed = replace(tasks.BC5CDR, distinct=False)
    spec = task_spec(changed)
    assert (spec.task, spec.title, spec.evaluation) == (changed, "BC5CDR", task_spec("bc5cdr").evaluation)
    assert task_spec(OWN).evaluation is OWN_EVALUATIONS[tasks.RelationTask]
    assert task_spec(spec) is spec


def test_names_are_taken_wherever_a_task_is(mini: BioGPT, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(DEFINITION)
    document = Document("Lithium caused tremor.")
    model = scripted(mini, "that lithium leads to tremor.")
    for task in (OWN, path, str(path)):
        (found,) = tasks.run(task, model, [document])
        assert [(each.head, each.relation, each.tail) for each in found.relations] == [("Lithium", "cause", "tremor")]
        tasks.check_task(task, model)
        prepared = tasks.prepare_for(task, model, document)
        assert [prepared] == list(tasks.prompts_for(task, model, document))
        assert tasks.answer_document(task, model, [prepared], 1) == found
        assert tasks.combined(task, [found, found]).relations == found.relations
    assert tasks.run("bc5cdr", mini, [document]) == tasks.run(tasks.BC5CDR, mini, [document])


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


def test_the_task_of_a_bundle_is_the_one_that_it_names_or_the_only_one(mini: BioGPT) -> None:
    named = replace(mini.manifest, task="hoc")
    assert spec_of_bundle(named, evaluated_specs()) is TASK_SPECS["hoc"]
    assert spec_of_bundle(mini.manifest, [TASK_SPECS["pubmedqa"]]) is TASK_SPECS["pubmedqa"]
    for manifest, specs, message in (
        (mini.manifest, evaluated_specs(), "does not say what it is for: say --task bc5cdr or --task kd-dti"),
        (named, [TASK_SPECS["bc5cdr"], TASK_SPECS["ddi"]], "fine-tuned for hoc, not for bc5cdr or ddi: use another"),
        (replace(named, task="mine"), evaluated_specs(), "fine-tuned for mine, which is not among the known tasks"),
    ):
        with pytest.raises(ConfigError, match=message):
            spec_of_bundle(manifest, specs)
