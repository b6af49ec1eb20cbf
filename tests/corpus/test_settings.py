"""A run does what the commands for one file do with the same options."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.corpus import CorpusSettings
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.tasks import HOC, TASK_SPECS
from makers.corpora import answer_run, write_json_lines

NAMED = {
    "text": "Lithium caused tremor, and cisplatin caused renal failure.",
    "id": "a",
    "entities": [
        {"text": "Lithium", "type": "T103", "span": [0, 7]},
        {"text": "tremor", "type": "T038", "span": [15, 21]},
        {"text": "cisplatin", "type": "T103", "span": [27, 36]},
    ],
}
TYPES = ("--given-entities", "--entity-type", "Chemical=T103", "--entity-type", "disease=T038")
LABELS = "up\ndown\nsideways\n"


def records_of(path: Path) -> list[dict[str, Any]]:
    """Records without the places that a run adds."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name not in {"number", "file"}} for row in found]


@pytest.mark.parametrize(
    ("command", "task", "row", "options"),
    [
        ("relations", "bc5cdr", NAMED, TYPES),
        ("relations", "ddi", {"text": "Aspirin raises warfarin."}, ("--labels", "LABELS")),
        ("ask", "pubmedqa", {"text": "Six of ten had tremor."}, ("--labels", "LABELS", "--question", "Is it so?")),
        ("describe", "description", {"text": "Bicalutamide"}, ("--num-beams", "2", "--max-new-tokens", "5")),
    ],
)
def test_options_give_what_they_give_the_command_for_one_file(  # noqa: PLR0913, PLR0917 -- fixtures
    command: str,
    task: str,
    row: Mapping[str, object],
    options: tuple[str, ...],
    mini: BioGPT,
    mini_bundle: Path,
    tmp_path: Path,
) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", [row])
    labels = tmp_path / "labels.txt"
    labels.write_text(LABELS)
    words = [str(labels) if word == "LABELS" else word for word in options]
    if command == "describe":
        words += ["--min-new-tokens", "1"]
    single, run, merged = tmp_path / "single.jsonl", tmp_path / "run", tmp_path / "merged.jsonl"
    assert main([command, str(mini_bundle), str(source), "-o", str(single), "--task", task, *words]) == 0
    assert main(["corpus", "prepare", str(source), "-o", str(run), "--task", task, *words]) == 0
    labels.unlink()
    answer_run(run, mini)
    corpus.merge(run, merged)
    assert records_of(merged) == records_of(single)
    if "--labels" in options and task != "ddi":
        assert list(records_of(merged)[0]["probabilities"]) == LABELS.split()


def test_labels_of_classes_stand_in_the_place_of_the_tasks_own() -> None:
    found = CorpusSettings(labels=("a", "b"), min_score=0.1).of_task(HOC)
    assert found == replace(HOC, labels=("a", "b"), alone=(), min_score=0.1)


def test_settings_are_those_that_were_written(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", [NAMED])
    settings = CorpusSettings(given_entities=True, entity_types=(("chemical", "T103"), ("Disease", "T038")))
    corpus.prepare([source], tmp_path / "run", "bc5cdr", settings=settings)
    opened = Run.open(tmp_path / "run")
    assert opened.settings == settings
    task = opened.task()
    assert getattr(task, "type_names")[-2:] == (("Chemical", "T103"), ("Disease", "T038"))  # noqa: B009 -- of one kind
    # A run of a version that did not know some settings has their defaults.
    old = {name: value for name, value in settings.to_json().items() if name in {"reading", "given_entities"}}
    assert CorpusSettings.from_json(old) == CorpusSettings(given_entities=True)


def test_entities_none_of_which_is_wanted_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", [NAMED])
    words = ["corpus", "prepare", str(source), "--task", "bc5cdr", "--given-entities"]
    assert main([*words, "-o", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().err
    assert "warning: the input names entities of the types T103 (2), T038 (1), none of which is a Chemical" in said
    assert main([*words, "-o", str(tmp_path / "b"), *TYPES[1:]]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "task", "message"),
    [
        (lambda: CorpusSettings(labels=("a", "b")), "description", "labels are no setting of description"),
        (lambda: CorpusSettings(labels=("a", "b")), "bc5cdr", "labels name relations, bc5cdr has but one"),
        (lambda: CorpusSettings(labels="ab"), "hoc", "labels are no tuple of strings"),  # type: ignore[arg-type]
        (lambda: CorpusSettings(entity_types=(("Gene", "T"),)), "bc5cdr", "entity types are those of given entities"),
        (
            lambda: CorpusSettings(given_entities=True, entity_types=(("Gene", "T"),)),
            "bc5cdr",
            "the task bc5cdr has the types Chemical and Disease",
        ),
        (
            lambda: CorpusSettings(given_entities=True, entity_types=(("Chemical", " "),)),
            "bc5cdr",
            "'Chemical' has an empty name",
        ),
        (
            lambda: CorpusSettings(given_entities=True, entity_types=(("Chemical", "T"),)),
            "hoc",
            "entity types are no setting of hoc",
        ),
        (
            lambda: CorpusSettings(given_entities=True, entity_types=("Chemical",)),  # type: ignore[arg-type]
            "bc5cdr",
            "no tuple of pairs",
        ),
        (lambda: CorpusSettings(num_beams=2), "bc5cdr", "num_beams is no setting of bc5cdr"),
        (lambda: CorpusSettings(num_beams=0), "description", "num_beams"),
    ],
)
def test_settings_that_a_task_does_not_have(settings: Callable[[], CorpusSettings], task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        settings().of_task(TASK_SPECS[task].task)
