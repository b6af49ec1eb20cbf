"""The array of Slurm and the indexed job of Kubernetes, which answer a corpus run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import corpus
from biogpt_onnx.cli.main import _parser
from makers.corpora import documents, write_json_lines
from makers.deployment import DEPLOY

SLURM = DEPLOY / "slurm" / "corpus.sbatch"
KUBERNETES = DEPLOY / "kubernetes" / "corpus.yaml"

# From here on the limit of tries for each index, and with it the action FailIndex, are there without a feature gate.
OLDEST_KUBERNETES = "1.29"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs scripts of sh")


def run_task(programs: Path, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script as Slurm does for a task of an array."""
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **variables,
    }
    command = [str(SLURM), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_tasks_of_an_array_answer_the_run(tmp_path: Path, mini_bundle: Path, programs: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(12))
    corpus.prepare([source], tmp_path / "run", "bc5cdr", unit_documents=4)
    for task in "01":
        ran = run_task(
            programs,
            tmp_path / "run",
            mini_bundle,
            "--workers",
            "1",
            SLURM_ARRAY_TASK_ID=task,
            SLURM_ARRAY_TASK_COUNT="2",
        )
        assert ran.returncode == 0, ran.stderr
        assert f"of shard {task}/2 done" in ran.stdout
    assert corpus.status(tmp_path / "run").is_complete


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["run"], {}, "give the folders of the run and of the bundle"),
        (["run", "bundle"], {"SLURM_ARRAY_TASK_MIN": "1"}, "give an array that begins with 0"),
        (["run", "bundle"], {"SLURM_ARRAY_TASK_STEP": "2"}, "give an array that begins with 0"),
    ],
)
def test_arrays_that_would_leave_units_out_are_refused(
    programs: Path, arguments: list[str], variables: dict[str, str], message: str
) -> None:
    ran = run_task(programs, *arguments, **variables)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr


def test_the_options_of_the_script_stand_where_slurm_reads_them() -> None:
    """Slurm reads no option behind the first command."""
    text = SLURM.read_text(encoding="utf-8")
    options = re.findall(r"^#SBATCH --([a-z-]+)", text, re.MULTILINE)
    assert {"cpus-per-task", "mem", "time", "signal", "requeue"} <= set(options)
    assert text.rindex("#SBATCH") < text.index("\nset -eu")


@pytest.fixture
def job() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load(KUBERNETES.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, "newest"])
@pytest.mark.parametrize("path", sorted(KUBERNETES.parent.glob("*")), ids=lambda path: path.name)
def test_kubernetes_knows_every_field(path: Path, version: str) -> None:
    yaml, schemas = pytest.importorskip("yaml"), pytest.importorskip("kubernetes_validate")
    asked = schemas.latest_version() if version == "newest" else version
    used = [
        schemas.validate(found, asked, strict=True) for found in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    # Without a schema of the version that is asked for, it takes one nearby.
    assert used == [asked.removesuffix(".0")]


def test_a_field_that_kubernetes_does_not_know_is_found(job: dict[str, Any]) -> None:
    schemas = pytest.importorskip("kubernetes_validate")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    container["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(schemas.ValidationError, match="readOnlyRootFileSystem"):
        schemas.validate(job, OLDEST_KUBERNETES, strict=True)


def test_the_pods_answer_all_units_once(job: dict[str, Any]) -> None:
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    values = {each["name"]: each.get("value") for each in container["env"]}
    assert spec["completionMode"] == "Indexed"
    assert str(spec["completions"]) == values["PODS"]
    options = [
        _parser().parse_args(
            [word.replace("$(SHARD)", str(index)).replace("$(PODS)", values["PODS"]) for word in container["args"]]
        )
        for index in range(spec["completions"])
    ]
    assert [str(each.shard) for each in options] == [f"{index}/{spec['completions']}" for index in range(8)]
    (first,) = container["command"]
    assert first == "biogpt-onnx"


def test_the_pods_mount_what_they_read_and_write(job: dict[str, Any]) -> None:
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {each["mountPath"]: each for each in container["volumeMounts"]}
    options = _parser().parse_args([*container["args"][:-1], "0/8"])
    assert not mounted[str(options.run_folder)].get("readOnly")
    assert mounted[str(options.bundle)]["readOnly"]
    # The root file system is closed, so all that is written has a volume.
    assert container["securityContext"]["readOnlyRootFilesystem"]
    cache = next(each["value"] for each in container["env"] if each["name"] == "BIOGPT_ONNX_CACHE")
    assert {cache, "/tmp"} <= set(mounted)  # noqa: S108 -- a pod's own
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert pod["securityContext"]["runAsNonRoot"]


def test_what_another_try_cannot_mend_is_not_tried_again(job: dict[str, Any]) -> None:
    (exit_codes, disruption) = job["spec"]["podFailurePolicy"]["rules"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert exit_codes["onExitCodes"]["containerName"] == container["name"]
    assert (exit_codes["action"], exit_codes["onExitCodes"]["values"]) == ("FailIndex", [1, 2])
    assert disruption["action"] == "Ignore"
    # Both need this of a job.
    assert job["spec"]["backoffLimitPerIndex"] > 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
