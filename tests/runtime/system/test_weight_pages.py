import mmap
import re
from pathlib import Path

import pytest

import biogpt_onnx
from biogpt_onnx.runtime.system import kind, weight_pages
from biogpt_onnx.runtime.system.weight_pages import release_mapped_pages

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux shows what is mapped")

SIZE = 4 * 1024 * 1024


def resident(file: Path) -> int:
    """The bytes of a mapped file that are in this process's memory."""
    found, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            here = line.endswith(str(file.resolve()))
        elif here and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file of weights"
    path.write_bytes(b"w" * SIZE)
    return path


def private(file: Path) -> mmap.mmap:
    """The file as ONNX Runtime maps it: what is written stays in the process."""
    with file.open("r+b") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    assert mapped[:] == b"w" * SIZE
    return mapped


@pytest.mark.usefixtures("known_residency")
def test_pages_leave_the_memory_and_come_back_with_the_same_bytes(file: Path) -> None:
    with private(file) as mapped:
        assert resident(file) == SIZE
        release_mapped_pages(file)
        assert resident(file) == 0
        assert mapped[:] == b"w" * SIZE


def test_what_was_written_to_a_mapping_is_kept(file: Path) -> None:
    with private(file) as mapped:
        mapped[-1:] = b"!"
        release_mapped_pages(file)
        assert mapped[:] == b"w" * (SIZE - 1) + b"!"


def test_what_was_written_is_kept_where_all_numbers_are_zero(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an emulator of Linux's programs, which does not know what lies in memory."""
    with private(file) as mapped:
        mapped[-1:] = b"!"
        (tmp_path / "proc/self").mkdir(parents=True)
        smaps = re.sub(r"\d+ kB", "0 kB", Path("/proc/self/smaps").read_text())
        (tmp_path / "proc/self/smaps").write_text(smaps)
        monkeypatch.setattr(weight_pages, "_ROOT", tmp_path)
        release_mapped_pages(file)
        assert mapped[:] == b"w" * (SIZE - 1) + b"!"


@pytest.mark.usefixtures("known_residency")
def test_other_files_keep_theirs(file: Path, tmp_path: Path) -> None:
    with private(file):
        release_mapped_pages(tmp_path / "another")
        assert resident(file) == SIZE


@pytest.mark.usefixtures("known_residency")
def test_a_loaded_model_keeps_little_of_its_file_in_memory(mini_bundle: Path) -> None:
    with biogpt_onnx.load(mini_bundle, device="cpu") as model:
        # The table alone has 8 MB, a copy of which is the head's.
        assert resident(mini_bundle / "model.onnx.data") < 2 * 1024 * 1024
        assert model.generate("Aspirin", max_new_tokens=2).token_ids


@pytest.mark.usefixtures("known_residency")
def test_elsewhere_nothing_happens(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "NAME", kind.MACOS)
    with private(file):
        release_mapped_pages(file)
        assert resident(file) == SIZE
