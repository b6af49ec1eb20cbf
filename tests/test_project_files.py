"""What stands around the code: workflows, forms for reports, and how to cite."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"

# PyYAML comes with pre-commit.
yaml = pytest.importorskip("yaml")
pytestmark = pytest.mark.skipif(not GITHUB.is_dir(), reason="runs in the checkout only")

WORKFLOWS = ("docs", "lint", "release", "tests")
FORMS = ("bug", "feature", "question")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def workflow(name: str) -> dict[str, Any]:
    return read(GITHUB / "workflows" / f"{name}.yml")


def triggers(of: dict[str, Any]) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as a truth value.
    found: dict[str, Any] = of[True]  # type: ignore[index]
    return found


def steps(of: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in of["jobs"].values() for step in job["steps"]]


def test_no_workflow_or_form_is_left_out() -> None:
    assert {path.stem for path in (GITHUB / "workflows").iterdir()} == set(WORKFLOWS)
    assert {path.stem for path in (GITHUB / "ISSUE_TEMPLATE").iterdir()} == {*FORMS, "config"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_named_by_a_whole_version(name: str) -> None:
    actions = [step["uses"] for step in steps(workflow(name)) if "uses" in step]
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_may_read_the_code_and_only_publishing_may_do_more(name: str) -> None:
    found = workflow(name)
    for job_name, job in found["jobs"].items():
        permissions = job.get("permissions", found["permissions"])
        expected = {"id-token": "write"} if (name, job_name) == ("release", "publish") else {"contents": "read"}
        assert permissions == expected, job_name
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_that_a_stranger_chooses_is_put_into_a_shell_line(name: str) -> None:
    assert [step["run"] for step in steps(workflow(name)) if "${{" in step.get("run", "")] == []
    assert "pull_request_target" not in triggers(workflow(name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_targets_that_the_makefile_has(name: str) -> None:
    asked = {target for step in steps(workflow(name)) for target in re.findall(r"make ([\w-]+)", step.get("run", ""))}
    assert asked
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert asked <= set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))


def test_the_tests_run_on_every_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    matrix = workflow("tests")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    # A newer one may be tried before it is named.
    assert matrix[: len(named)] == named
    assert project["requires-python"] == f">={matrix[0]}"


def test_the_tests_run_on_every_system_that_the_documents_name() -> None:
    job = workflow("tests")["jobs"]["systems"]
    assert job["runs-on"] == "${{ matrix.runner }}"
    systems = {runner.partition("-")[0] for runner in job["strategy"]["matrix"]["runner"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert any(runner.endswith("-arm") for runner in job["strategy"]["matrix"]["runner"])
    commands = [step["run"] for step in job["steps"] if "run" in step]
    # Windows has no make.
    assert not any("make" in command.split() for command in commands)
    assert commands[-1].startswith("python -m pytest")
    # The documents give the same commands to a person.
    written = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [command for command in commands if command not in written] == []


def test_files_have_the_same_bytes_in_a_checkout_on_every_system() -> None:
    """Windows' git would else change the ends of lines, and with them vocabularies and goldens."""
    assert "* -text" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()


def test_what_is_published_is_what_was_tested() -> None:
    release = workflow("release")
    assert triggers(release) == {"push": {"tags": ["v*"]}}
    build, publish = release["jobs"]["build"], release["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert any(step.get("run", "").startswith("make test-wheel") for step in build["steps"])
    (upload,) = (step for step in build["steps"] if step.get("uses", "").startswith("actions/upload-artifact@"))
    (download,) = (step for step in publish["steps"] if step["uses"].startswith("actions/download-artifact@"))
    assert (upload["with"]["name"], upload["with"]["path"]) == (download["with"]["name"], download["with"]["path"])
    assert not any("password" in step.get("with", {}) for step in publish["steps"])


@pytest.mark.parametrize("name", FORMS)
def test_a_form_asks_what_the_bundle_is_and_wants_nothing_of_patients(name: str) -> None:
    form = read(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    fields = {element["id"]: element for element in form["body"] if element["type"] != "markdown"}
    assert len(fields) == sum(element["type"] != "markdown" for element in form["body"])
    assert "biogpt-onnx info" in fields["info"]["attributes"]["label"]
    (promise,) = fields["patients"]["attributes"]["options"]
    assert promise["required"] is True
    assert "patient" in promise["label"]
    (notice,) = (element for element in form["body"] if element["type"] == "markdown")
    assert "write nothing that comes from a patient" in " ".join(notice["attributes"]["value"].split())


def test_reports_come_by_the_forms_alone() -> None:
    assert read(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["blank_issues_enabled"] is False


def test_citing_names_this_version_and_biogpt() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert (citation["title"], citation["version"]) == ("biogpt-onnx", biogpt_onnx.__version__)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{citation['version']}] - {citation['date-released']}" in changelog
    (paper,) = citation["references"]
    assert paper["doi"] == "10.1093/bib/bbac409"
    assert [author["family-names"] for author in paper["authors"]][:2] == ["Luo", "Sun"]
