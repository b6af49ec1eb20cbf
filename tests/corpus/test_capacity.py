import os
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx import ConfigError
from biogpt_onnx.corpus import Capacity, Shard
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working import capacity
from biogpt_onnx.corpus.working.capacity import choose_capacity, cores_of, free_memory

MUCH = 2**40


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "expected"),
    [
        (1, None, None, (1, 1)),
        (2, None, None, (2, 1)),
        (8, None, None, (8, 1)),
        (9, None, None, (9, 1)),
        (64, None, None, (64, 1)),
        (8, 8, None, (8, 1)),
        (8, None, 2, (4, 2)),
        (8, 3, 5, (3, 5)),
        (2, 4, None, (4, 1)),
    ],
)
def test_processes_and_threads_follow_from_the_cores(
    mini: biogpt_onnx.BioGPT, cores: int, workers: int | None, threads: int | None, expected: tuple[int, int]
) -> None:
    found = choose_capacity(mini.manifest, workers, threads, cores=cores, memory=MUCH)
    assert (found.workers, found.threads) == expected


def test_there_are_no_more_processes_than_the_memory_has_room_for(mini: biogpt_onnx.BioGPT) -> None:
    one = choose_capacity(mini.manifest, cores=64, memory=MUCH)
    # Forty processes of one thread would leave 24 cores idle.
    for room, expected in {1: (1, 64), 2: (2, 32), 5: (5, 12), 40: (32, 2), 63: (63, 1), 99: (64, 1)}.items():
        memory = one.shared_bytes + room * one.process_bytes + one.process_bytes // 2
        found = choose_capacity(mini.manifest, cores=64, memory=memory)
        assert (found.workers, found.threads) == expected
        assert found.total_bytes <= memory
    assert choose_capacity(mini.manifest, cores=64, memory=0).workers == 1
    with_threads = choose_capacity(mini.manifest, None, 3, cores=64, memory=one.shared_bytes + 30 * one.process_bytes)
    assert (with_threads.workers, with_threads.threads) == (21, 3)


@pytest.mark.parametrize(
    ("units", "expected"), [(1, (1, 8)), (2, (2, 4)), (3, (3, 2)), (5, (4, 2)), (7, (7, 1)), (99, (8, 1))]
)
def test_there_are_no_more_processes_than_there_is_work_for(
    mini: biogpt_onnx.BioGPT, units: int, expected: tuple[int, int]
) -> None:
    found = choose_capacity(mini.manifest, cores=8, memory=MUCH, units=units)
    assert (found.workers, found.threads) == expected


def test_where_nothing_says_how_much_memory_there_is_processes_are_few(
    mini: biogpt_onnx.BioGPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda: None)
    found = choose_capacity(mini.manifest, cores=64)
    assert (found.workers, found.threads) == (16, 4)
    assert choose_capacity(mini.manifest, cores=9).workers == 2
    assert choose_capacity(mini.manifest, cores=2).workers == 1


def test_larger_batches_need_more_memory(mini: biogpt_onnx.BioGPT) -> None:
    small, large = (choose_capacity(mini.manifest, cores=4, batch_size=size, memory=MUCH) for size in (1, 64))
    assert small.process_bytes < large.process_bytes


@pytest.mark.parametrize("name", ["workers", "threads"])
def test_numbers_below_one_are_refused(mini: biogpt_onnx.BioGPT, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        choose_capacity(mini.manifest, **{name: 0})


def test_free_memory_is_within_the_limit_of_the_container(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    2000 kB\n")
    assert free_memory(tmp_path) == 2000 * 1024
    (tmp_path / "sys" / "fs" / "cgroup").mkdir(parents=True)
    limit = tmp_path / "sys" / "fs" / "cgroup" / "memory.max"
    limit.write_text("max\n")
    assert free_memory(tmp_path) == 2000 * 1024
    limit.write_text("1000000\n")
    assert free_memory(tmp_path) == 1_000_000


def test_processes_have_cores_of_their_own_where_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5, 7, 9}, raising=False)
    monkeypatch.setattr(capacity, "num_usable_cores", lambda: 5)
    pair = Capacity(2, 2, 0, 0)
    assert [cores_of(number, pair) for number in range(2)] == [[1, 3], [5, 7]]
    assert cores_of(0, Capacity(3, 2, 0, 0)) is None
    # A container that has the time of two of them does not own any.
    monkeypatch.setattr(capacity, "num_usable_cores", lambda: 2)
    assert cores_of(0, Capacity(1, 2, 0, 0)) is None


@pytest.mark.parametrize("text", ["", "1", "1/", "a/b", "4/4", "-1/4", "0/0", "1/4/8"])
def test_shards_that_there_are_not(text: str) -> None:
    with pytest.raises(ConfigError, match="shard is"):
        Shard.parse(text)


def test_shards_divide_the_units(run: Path) -> None:

    opened = Run.open(run)
    found = [unit for index in range(4) for unit in Shard.parse(f"{index}/4").units(opened)]
    assert sorted(unit.number for unit in found) == [unit.number for unit in opened.units]
    assert Shard(5, 7).units(opened) == [opened.units[5]]
    assert Shard(6, 7).units(opened) == []
