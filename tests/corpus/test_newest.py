from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from biogpt_onnx.corpus.preparing.newest import NewestVersions, _address


def test_sqlite_is_told_a_path_in_the_form_that_it_takes_on_each_system() -> None:
    assert _address(PurePosixPath("/runs/a b/\u03b2?#.sqlite")) == "file:///runs/a%20b/%CE%B2%3F%23.sqlite"
    assert _address(PureWindowsPath("C:\\runs\\v.sqlite")) == "file:///C%3A/runs/v.sqlite"
    assert _address(PureWindowsPath("\\\\host\\share\\v.sqlite")) == "file:////host/share/v.sqlite"


@pytest.mark.parametrize("name", ["a b", "50%", "what?#x", "\u03b2", "caf\udce9"])
def test_a_file_of_any_name_is_made_there_and_removed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with NewestVersions.open(path) as versions:
        versions.add("1", 1)
        versions.add("1", 2)
        assert path.exists()
        assert list(versions.kept()) == [0, 1]
        assert versions.total == 2
    assert not path.exists()
