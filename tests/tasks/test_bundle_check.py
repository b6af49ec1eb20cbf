from dataclasses import replace
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, tasks
from biogpt_onnx.tasks import BC5CDR, DDI, DESCRIPTION, HOC, PUBMEDQA, Document
from biogpt_onnx.tasks.bundle_check import check_bundle


def bundle(mini: BioGPT, task: str | None, rows: int) -> Any:
    architecture = replace(mini.manifest.architecture, soft_prompt_size=rows)
    return replace(mini.manifest, task=task, architecture=architecture)


def test_a_bundle_of_another_task_is_refused_and_both_are_named(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="for pubmedqa, not for bc5cdr"):
        check_bundle(bundle(mini, "pubmedqa", 9), "bc5cdr", 9)


def test_a_bundle_that_says_its_task_is_believed_whatever_its_soft_prompt(mini: BioGPT) -> None:
    check_bundle(bundle(mini, "pubmedqa", 0), "pubmedqa", 9)


def test_a_bundle_without_a_soft_prompt_is_hardly_fine_tuned(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match=r"no soft prompt.*--task ddi"):
        check_bundle(bundle(mini, None, 0), "ddi", 9)


def test_a_soft_prompt_of_another_size_is_another_tasks(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="soft prompt of 9, hoc is trained with one of 1"):
        check_bundle(bundle(mini, None, 9), HOC.name, HOC.soft_prompt_size)


def test_a_bundle_that_does_not_say_may_be_any_task_of_its_form(mini: BioGPT) -> None:
    for task in (BC5CDR, DDI, PUBMEDQA, DESCRIPTION):
        check_bundle(bundle(mini, None, 9), task.name, task.soft_prompt_size)


def test_a_fine_tuned_bundle_describes_nothing(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="for hoc, not for description"):
        check_bundle(bundle(mini, "hoc", 1), DESCRIPTION.name, DESCRIPTION.soft_prompt_size)


def test_running_a_task_looks_at_the_bundle_first(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="hoc"):
        tasks.run(HOC, mini, [Document("")])
