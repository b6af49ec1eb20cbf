"""A short sample of `python -m benchmarks.kills`: each job is disturbed once by each fault, in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc, and namespaces for small disks"),
]

SAMPLES = {
    ("export", "relations"): ("SIGKILL", "SIGTERM", "full disk", "small files", "memory", "read-only"),
    ("generate", "corpus prepare", "corpus merge"): ("SIGKILL", "SIGINT", "full disk"),
}


@pytest.mark.long
@pytest.mark.parametrize("jobs", SAMPLES)
def test_disturbed_commands_lose_nothing_and_leave_nothing(jobs: tuple[str, ...], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = ["--trials", "1", "--output", str(report), "--job", *jobs, "--fault", *SAMPLES[jobs]]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["problems"] == 0
    faults = set(SAMPLES[jobs]) - set(found["left_out"])
    assert found["jobs"].keys() == set(jobs)
    assert all(set(done) == faults for done in found["jobs"].values())
