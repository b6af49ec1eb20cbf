import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.ort import sessions
from biogpt_onnx.runtime.system import cores
from biogpt_onnx.runtime.system.cores import cpu_quota, num_usable_cores


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Writes the files in which Linux tells a process of its control groups."""
    for name, text in {
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000\n"}, 2, id="a container of version 2"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, None, id="version 2 without a limit"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5, id="an outer group"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "150000 50000"}, 3, id="the least"),
        pytest.param("0::/../other\n", {"cpu.max": "300000 100000"}, 3, id="a path that leads out of the container"),
        pytest.param(
            "12:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/docker/1\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
            2.5,
            id="a container of version 1, whose group is at the top",
        ),
        pytest.param(
            "4:cpu:/slurm/job\n",
            {
                "cpu/slurm/job/cpu.cfs_quota_us": "-1",
                "cpu/slurm/job/cpu.cfs_period_us": "100000",
                "cpu/slurm/cpu.cfs_quota_us": "800000",
                "cpu/slurm/cpu.cfs_period_us": "100000",
            },
            8,
            id="an outer group of version 1",
        ),
        pytest.param(
            "2:cpuset:/x\n0::/x\n",
            {"cpuset/x/cpu.cfs_quota_us": "1", "cpuset/x/cpu.cfs_period_us": "1", "unified/x/cpu.max": "700000 100000"},
            7,
            id="both versions",
        ),
        pytest.param("0::/\n", {"cpu.max": ""}, None, id="an empty file"),
        pytest.param("0::/\n", {"cpu.max": "200000 0"}, None, id="a period of nothing"),
        pytest.param("nonsense\n\n", {}, None, id="nonsense"),
    ],
)
def test_the_quota_is_that_of_the_narrowest_group(
    tmp_path: Path, groups: str, files: dict[str, str], quota: float | None
) -> None:
    assert cpu_quota(system(tmp_path, groups, files)) == quota


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000", 2), ("150000", 2), ("10000", 1), ("9900000", 64), ("max", 64)]
)
def test_a_container_with_a_part_of_64_cores_gets_as_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert num_usable_cores(system(tmp_path, "0::/\n", {"cpu.max": f"{quota} 100000"})) == expected


def test_a_process_that_is_restricted_to_some_cores_counts_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert num_usable_cores(system(tmp_path, "0::/\n", {"cpu.max": "400000 100000"})) == 2


def options_with(threads: int | None) -> Any:
    options = SimpleNamespace(add_session_config_entry=lambda *_: None)
    level = SimpleNamespace(ORT_ENABLE_BASIC=1)
    onnxruntime: Any = SimpleNamespace(SessionOptions=lambda: options, GraphOptimizationLevel=level)
    return sessions.session_options(onnxruntime, threads, prepack=True, is_half_on_cpu=False)


def test_a_session_starts_no_more_threads_than_the_quota_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "num_usable_cores", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert options_with(None).intra_op_num_threads == 2
    assert options_with(1).intra_op_num_threads == 1


@pytest.mark.parametrize("threads", [3, 1000, 1_000_000])
def test_more_threads_than_cores_are_cut_with_a_warning(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(sessions, "num_usable_cores", lambda: 2)
    with pytest.warns(RuntimeWarning, match=f"threads is {threads:,}, but this process may use 2"):
        assert options_with(threads).intra_op_num_threads == 2


def test_on_all_cores_the_number_is_left_to_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "num_usable_cores", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert options_with(None).intra_op_num_threads == 0
    with pytest.raises(ConfigError, match="threads is 0"):
        options_with(0)


def test_the_real_system_is_read_without_fault() -> None:
    assert 1 <= num_usable_cores() <= (os.cpu_count() or 1)
    assert cores.cpu_quota() is None or cores.cpu_quota() > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("threads", "usable", "words"),
    [
        (None, 8, "all cores"),
        (None, 4, "4 threads"),
        (None, 1, "1 thread"),
        (3, 8, "3 threads"),
        (8, 8, "8 threads"),
        (16, 4, "4 threads"),
        (1, 8, "1 thread"),
    ],
)
def test_a_user_is_told_as_many_threads_as_there_are(
    threads: int | None, usable: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "num_cores", lambda: 8)
    monkeypatch.setattr(cores, "num_usable_cores", lambda: usable)
    assert cores.threads_in_words(threads) == words
