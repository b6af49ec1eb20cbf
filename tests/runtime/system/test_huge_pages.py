"""The move of memory to huge pages: what is moved, what is left, and that its bytes stay."""

import ctypes
import mmap
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx.runtime.backends.cpu import huge_pages
from biogpt_onnx.runtime.system import kind, weight_pages
from biogpt_onnx.runtime.system.weight_pages import anonymous_memory, move_to_huge_pages

SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
COLLAPSE = 25
LARGEST = 32 * 1024 * 1024
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has these files")


class Memory:
    """Private memory without a file, of four huge pages."""

    def __init__(self) -> None:
        self.page = int((SETTINGS / "hpage_pmd_size").read_text())
        self.size = 5 * self.page
        self.map = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))

    def fill(self, step: int = mmap.PAGESIZE) -> None:
        """Writes to its pages while they are small, whatever the system's habit."""
        self.map.madvise(mmap.MADV_NOHUGEPAGE)
        for place in range(0, self.size, step):
            self.map[place] = place // step % 251
        self.map.madvise(mmap.MADV_HUGEPAGE)

    def is_filled(self) -> bool:
        return all(self.map[place] == place // mmap.PAGESIZE % 251 for place in range(0, self.size, mmap.PAGESIZE))

    def field(self, name: str) -> str:
        """A field of what the system says of it."""
        here = False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            first, _, rest = line.partition(" ")
            if "-" in first:
                start, _, end = first.partition("-")
                here = int(start, 16) <= self.address + self.page < int(end, 16)
            elif here and first == f"{name}:":
                return rest.strip()
        raise AssertionError(f"nothing says {name}")

    def kilobytes(self, name: str) -> int:
        return int(self.field(name).split()[0])


@pytest.fixture
def memory(known_residency: None) -> Memory:  # noqa: ARG001 -- it skips
    if not (SETTINGS / "hpage_pmd_size").is_file() or "[never]" in (SETTINGS / "enabled").read_text():
        pytest.skip("the system makes no huge pages")
    if int((SETTINGS / "hpage_pmd_size").read_text()) > LARGEST:
        pytest.skip("the system's huge pages are too large to fill some in a test")
    return Memory()


@pytest.fixture
def advised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Addresses of which the system is asked for huge pages; it may also make some by itself at any time."""
    addresses: list[int] = []
    advise = weight_pages._advise

    def advise_and_note(library: ctypes.CDLL, start: int, size: int, advice: int) -> bool:
        addresses.append(start)
        return advise(library, start, size, advice)

    monkeypatch.setattr(weight_pages, "_advise", advise_and_note)
    return addresses


@pytest.fixture
def filled(memory: Memory) -> Memory:
    probe = Memory()
    probe.fill()
    if ctypes.CDLL(None).madvise(ctypes.c_void_p(probe.address), ctypes.c_size_t(probe.size), COLLAPSE):
        pytest.skip("the system moves nothing to huge pages at once")
    memory.fill()
    return memory


def without_others(root: Path, memory: Memory, enabled: str = "always [madvise] never") -> Path:
    """A root folder whose files show this memory alone."""
    settings = root / "sys/kernel/mm/transparent_hugepage"
    settings.mkdir(parents=True)
    (settings / "enabled").write_text(enabled)
    (settings / "hpage_pmd_size").write_text(f"{memory.page}\n")
    (root / "proc/self").mkdir(parents=True)
    end = memory.address + memory.size
    (root / "proc/self/maps").write_text(f"{memory.address:x}-{end:x} rw-p 00000000 00:00 0 \n")
    (root / "proc/self/pagemap").symlink_to("/proc/self/pagemap")
    return root


def test_filled_memory_is_moved_and_keeps_its_bytes(filled: Memory, advised: list[int], tmp_path: Path) -> None:
    resident = filled.kilobytes("Rss")
    move_to_huge_pages((), Event(), without_others(tmp_path, filled))
    # Its ends need not lie where a huge page may begin.
    assert len(advised) >= filled.size // filled.page - 1
    assert filled.kilobytes("AnonHugePages") * 1024 >= filled.size - 2 * filled.page
    assert filled.kilobytes("Rss") == resident
    assert filled.is_filled()


def test_memory_is_found_among_all_of_the_process(filled: Memory) -> None:
    before = [span for span in anonymous_memory() if not span[0] <= filled.address < span[1]]
    move_to_huge_pages(before, Event())
    assert filled.kilobytes("AnonHugePages") > 0
    assert filled.is_filled()


def test_what_was_there_before_stays(filled: Memory, advised: list[int]) -> None:
    move_to_huge_pages(anonymous_memory(), Event())
    assert not [start for start in advised if filled.address <= start < filled.address + filled.size]


def test_memory_with_pages_that_were_never_written_takes_no_more(
    memory: Memory, advised: list[int], tmp_path: Path
) -> None:
    memory.fill(2 * mmap.PAGESIZE)
    move_to_huge_pages((), Event(), without_others(tmp_path, memory))
    assert not advised


def test_it_ends_when_the_model_is_closed(filled: Memory, advised: list[int], tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    move_to_huge_pages((), stop, without_others(tmp_path, filled))
    assert not advised


def test_where_an_administrator_wants_no_huge_pages_there_are_none(
    filled: Memory, advised: list[int], tmp_path: Path
) -> None:
    move_to_huge_pages((), Event(), without_others(tmp_path, filled, "always madvise [never]"))
    assert not advised


def test_where_nothing_says_which_pages_are_filled_none_is_moved(
    filled: Memory, advised: list[int], tmp_path: Path
) -> None:
    root = without_others(tmp_path, filled)
    (root / "proc/self/pagemap").unlink()
    move_to_huge_pages((), Event(), root)
    assert not advised


@pytest.mark.usefixtures("filled")
def test_on_another_system_nothing_happens(advised: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "NAME", kind.MACOS)
    assert anonymous_memory() == ()
    move_to_huge_pages((), Event())
    assert not advised


def test_a_system_that_moves_nothing_at_once_is_asked_to_in_time(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_pages, "_COLLAPSE", 9_999)
    for place in range(0, memory.size, mmap.PAGESIZE):
        memory.map[place] = 1
    assert "hg" not in memory.field("VmFlags").split()
    move_to_huge_pages((), Event(), without_others(tmp_path, memory))
    assert "hg" in memory.field("VmFlags").split()


@on_linux
def test_a_system_without_the_files_is_left_alone(tmp_path: Path) -> None:
    assert anonymous_memory(tmp_path) == ()
    move_to_huge_pages((), Event(), tmp_path)


@on_linux
def test_only_memory_of_the_process_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/maps").write_text(
        "1000-2000 rw-p 00000000 00:00 0 \n"
        "2000-3000 r--p 00000000 00:00 0 \n"
        "3000-4000 rw-p 00000000 08:01 77                         /a folder/model.onnx.data\n"
        "4000-5000 rw-p 00000000 00:00 0                          [heap]\n"
        "5000-6000 rw-p 00000000 00:00 0                          [anon: a name]\n"
        "6000-7000 rw-s 00000000 00:01 9                          /dev/zero (deleted)\n"
        "7000-8000 rw-p 00000000 00:00 0                          [stack]\n"
    )
    assert anonymous_memory(tmp_path) == [(0x1000, 0x2000), (0x4000, 0x5000), (0x5000, 0x6000)]


@pytest.mark.parametrize(
    ("before", "now", "blocks"),
    [
        ([], [(0, 400)], [0, 100, 200, 300]),
        ([], [(50, 350)], [100, 200]),
        ([], [(50, 149)], []),
        ([(150, 160)], [(0, 400)], [0, 200, 300]),
        ([(0, 100), (300, 400)], [(0, 400)], [100, 200]),
        ([(0, 101), (299, 400)], [(0, 400)], []),
        ([(110, 120), (130, 140)], [(100, 300)], [200]),
        ([(500, 600)], [(100, 200), (300, 400)], [100, 300]),
    ],
)
def test_blocks_are_whole_and_new(before: list[tuple[int, int]], now: list[tuple[int, int]], blocks: list[int]) -> None:
    assert list(weight_pages._new_blocks(before, now, 100)) == blocks


# Which models it concerns.


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, 1),
        ({"mixed_passes": True}, 1),
        ({"huge_pages": False}, 0),
        ({"prepack": False}, 0),
        ({"share_weights": True}, 0),
    ],
)
def test_prepacked_weights_are_moved_until_the_model_is_closed(
    options: dict[str, Any], times: int, mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", str(tmp_path / "cache"))
    stops: list[Event] = []
    monkeypatch.setattr(huge_pages, "move_to_huge_pages", lambda *asked: stops.append(asked[1]))
    with biogpt_onnx.load(mini_bundle, device="cpu", **options):
        huge_pages.wait_for_moves()
        assert [stop.is_set() for stop in stops] == [False] * times
    assert [stop.is_set() for stop in stops] == [True] * times


def test_a_model_that_is_closed_at_once_moves_nothing(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Event] = []
    monkeypatch.setattr(huge_pages, "move_to_huge_pages", lambda *arguments: asked.append(arguments[1]))
    monkeypatch.setattr(huge_pages, "DELAY_SECONDS", 60)
    with biogpt_onnx.load(mini_bundle, device="cpu"):
        assert huge_pages._moves
    huge_pages.wait_for_moves()
    assert not asked
