"""What the machine has: the family of kernels, the cores of a process, and the threads that are worth measuring."""

import os
from pathlib import Path

import pytest

from biogpt_onnx.bench.advice.cores import Cores, describe_cores, thread_counts
from biogpt_onnx.bench.advice.processor import UNKNOWN, kernel_family, may_have_avx512, unpacks_blocks
from biogpt_onnx.runtime.system.processor import arm_model, processor_name

AVX512 = "sse4_2 avx2 fma avx512f avx512bw"


@pytest.mark.parametrize(
    ("flags", "family"),
    [
        ("sse4_2 avx2 fma", "AVX2"),
        ("sse4_2 avx2 fma avx_vnni", "AVX2 with VNNI"),
        (AVX512, "AVX-512 without VNNI"),
        (f"{AVX512} avx512_vnni avx_vnni", "AVX-512 with VNNI"),
        (f"{AVX512} avx512_vnni amx_tile amx_bf16", "AVX-512 with VNNI"),
        (f"{AVX512} avx512_vnni amx_tile amx_int8", "AMX"),
        ("fp asimd", "Arm NEON"),
        ("fp asimd asimddp", "Arm with dot products"),
        ("fp asimd asimddp i8mm bf16", "Arm with 8-bit matrix products (i8mm)"),
        ("", UNKNOWN),
    ],
)
def test_the_family_is_that_of_the_best_kernels(flags: str, family: str) -> None:
    assert kernel_family(flags.split()) == family


def test_a_processor_that_says_nothing_may_have_avx512() -> None:
    assert [may_have_avx512(flags.split()) for flags in ("", "avx2", AVX512)] == [True, False, True]


@pytest.mark.parametrize(
    ("recipe", "flags", "unpacks"),
    [
        ("int4", "fp asimd", True),
        ("int8-weights", "fp asimd", True),
        ("int8", "fp asimd", False),
        (None, "fp asimd", False),
        ("int4", "fp asimd asimddp", False),
        ("int4", "avx2", False),
        ("int4", "", False),
    ],
)
def test_weights_in_blocks_need_dot_products_on_arm64(recipe: str | None, flags: str, *, unpacks: bool) -> None:
    assert unpacks_blocks(recipe, flags.split()) == unpacks


X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Some Processor\nflags\t\t: avx2\n"


def arm_core(part: str, maker: str = "0x41") -> str:
    fields = f"Features\t: fp asimd\nCPU implementer\t: {maker}\nCPU architecture: 8\nCPU part\t: {part}"
    return f"processor\t: 0\nBogoMIPS\t: 108.00\n{fields}\nCPU revision\t: 3\n\n"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (X86, "Some Processor"),
        (arm_core("0xd08") * 4, "Cortex-A72"),
        (arm_core("0xd05") * 4 + arm_core("0xd0b") * 4, "Cortex-A55 and Cortex-A76"),
        (arm_core("0x001", "0xc0"), "Arm core 0x001 of maker 0xc0"),
    ],
)
def test_the_processor_has_a_name_that_people_know(tmp_path: Path, text: str, model: str) -> None:
    """Linux has no name for Arm's processors, only numbers; without these, advice is headed by "aarch64"."""
    (tmp_path / "cpuinfo").write_text(text)
    assert processor_name(tmp_path / "cpuinfo") == model


def test_an_arm_board_is_named_where_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    fields = [("CPU implementer", "0x41"), ("CPU part", "0xd0b")]
    assert arm_model(fields, tmp_path / "model") == "Raspberry Pi 5 Model B Rev 1.0, Cortex-A76"
    (tmp_path / "model").write_bytes(b"\0")
    assert arm_model(fields, tmp_path / "model") == "Cortex-A76"


@pytest.fixture
def eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of four cores with two hyperthreads each, numbered as Linux mostly does."""
    for core in range(8):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{core % 4},{core % 4 + 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def quota(root: Path, text: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text(text)


def test_hyperthreads_are_no_cores(eight: Path) -> None:
    cores = describe_cores(eight)
    assert (cores.usable, cores.physical, cores.quota) == (8, 4, None)
    assert cores.describe() == "8 hyperthreads of 4 cores for this process"
    assert thread_counts(cores) == (1, 2, 4, 8)


def test_those_that_the_process_may_not_use_do_not_count(eight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4}, raising=False)
    cores = describe_cores(eight)
    assert (cores.usable, cores.physical) == (3, 2)


def test_a_quota_bounds_both(eight: Path) -> None:
    quota(eight, "250000 100000\n")
    cores = describe_cores(eight)
    assert (cores.usable, cores.physical, cores.quota) == (3, 3, 2.5)
    assert cores.describe() == "3 cores for this process, by a quota of 2.5 cores"
    assert thread_counts(cores) == (1, 3)


def test_where_nothing_is_known_each_core_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert describe_cores(tmp_path) == Cores(2, 2)
    assert Cores(2, 2).describe() == "2 cores for this process"


@pytest.mark.parametrize(
    ("cores", "counts"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 3)), (4, (1, 2, 4)), (16, (1, 4, 8, 16)), (64, (1, 16, 32, 64))],
)
def test_few_numbers_of_threads_are_measured(cores: int, counts: tuple[int, ...]) -> None:
    assert thread_counts(Cores(cores, cores)) == counts
