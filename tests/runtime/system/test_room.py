"""The memory that a process can still take, as the files of a simulated system say it."""

from pathlib import Path

import pytest

from biogpt_onnx.runtime.system.room import read_room

MIB = 2**20
PLENTY = "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\nSwapFree: 0 kB\n"
SWAP = PLENTY.replace("SwapFree: 0", "SwapFree: 1048576")


def system(root: Path, groups: str, files: dict[str, str], meminfo: str = PLENTY) -> Path:
    """Writes the files in which Linux tells a process of its memory."""
    named = {"proc/self/cgroup": groups, "proc/meminfo": meminfo}
    for name, text in {**named, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def version_2(folder: str, limit: object, used: int, cached: int = 0, **more: object) -> dict[str, str]:
    """Returns the files of a group of version 2; sizes are in MiB."""
    files = {
        "memory.max": str(limit if isinstance(limit, str) else int(str(limit)) * MIB),
        "memory.current": str(used * MIB),
        "memory.stat": f"anon 7\nfile {cached * MIB}\ninactive_file {cached * MIB}\nactive_file 0\n",
        **{f"memory.{name.replace('_', '.')}": str(int(str(value)) * MIB) for name, value in more.items()},
    }
    return {f"{folder}{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        pytest.param(version_2("", 512, 100), 412, id="a container"),
        pytest.param(version_2("", 512, 500, cached=300), 312, id="cached files can be dropped"),
        pytest.param(version_2("", "max", 100), 4096, id="no limit"),
        pytest.param(version_2("", 512, 600), 0, id="more is used than a lowered limit allows"),
        pytest.param(version_2("", 9000, 100), 4096, id="a limit above the machine's memory"),
        pytest.param(
            version_2("", 800, 100) | version_2("a/", "max", 50) | version_2("a/b/", 900, 50), 700, id="outer"
        ),
        pytest.param(
            version_2("", "max", 0) | version_2("a/b/", 256, 6) | version_2("a/", 512, 300), 212, id="sibling"
        ),
        pytest.param({"memory.max": "", "memory.current": "x"}, 4096, id="files that hold no numbers"),
        pytest.param({"memory.max": str(512 * MIB)}, 512, id="a limit alone"),
    ],
)
def test_the_room_is_what_the_narrowest_group_leaves(tmp_path: Path, files: dict[str, str], free: int) -> None:
    room = read_room(system(tmp_path, "0::/a/b\n", files))
    assert room is not None
    assert (room.free, room.with_swap) == (free * MIB, free * MIB)


def test_the_groups_of_version_1_are_read_with_those_that_they_are_in(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/docker/memory.limit_in_bytes": str(600 * MIB),
        "memory/docker/memory.usage_in_bytes": str(200 * MIB),
        "memory/docker/memory.stat": f"inactive_file 1\ntotal_inactive_file {30 * MIB}\ntotal_active_file {20 * MIB}\n",
        "memory/docker/7/memory.limit_in_bytes": str(700 * MIB),
        "memory/docker/7/memory.usage_in_bytes": str(150 * MIB),
        "cpu/docker/7/memory.limit_in_bytes": "1",
    }
    room = read_room(system(tmp_path, "4:memory:/docker/7\n3:cpu:/docker/7\n0::/\n", files))
    assert room is not None
    assert room.free == 450 * MIB
    assert room.bound == "the control group's limit of 600 MiB"


def test_the_bound_is_named(tmp_path: Path) -> None:
    room = read_room(system(tmp_path, "0::/\n", {}))
    assert room is not None
    assert room.bound == "the machine's memory of 8,192 MiB"


@pytest.mark.parametrize(
    ("files", "with_swap"),
    [
        pytest.param(version_2("", 512, 112), 400 + 1024, id="as much as the machine has"),
        pytest.param(version_2("", 512, 112, swap_max=100, swap_current=30), 470, id="the group's"),
        pytest.param(version_2("", 512, 112, swap_max=0), 400, id="none"),
    ],
)
def test_swap_counts_as_far_as_the_group_may_use_it(tmp_path: Path, files: dict[str, str], with_swap: int) -> None:
    room = read_room(system(tmp_path, "0::/\n", files, SWAP))
    assert room is not None
    assert (room.free, room.with_swap) == (400 * MIB, with_swap * MIB)


def test_memory_and_swap_have_one_limit_in_version_1(tmp_path: Path) -> None:
    files = {
        "memory.limit_in_bytes": str(512 * MIB),
        "memory.usage_in_bytes": str(112 * MIB),
        "memory.memsw.limit_in_bytes": str(612 * MIB),
        "memory.memsw.usage_in_bytes": str(112 * MIB),
    }
    room = read_room(system(tmp_path, "2:memory:/\n", {f"memory/{name}": text for name, text in files.items()}, SWAP))
    assert room is not None
    assert (room.free, room.with_swap) == (400 * MIB, 500 * MIB)


def test_memory_high_is_told_apart_because_it_slows_and_does_not_kill(tmp_path: Path) -> None:
    room = read_room(system(tmp_path, "0::/\n", version_2("", 512, 112, high=300)))
    assert room is not None
    assert (room.free, room.slows) == (400 * MIB, 188 * MIB)


def test_where_nothing_tells_of_memory_there_is_no_room_to_compare_with(tmp_path: Path) -> None:
    assert read_room(tmp_path) is None
