from pathlib import Path

import pytest

from biogpt_onnx.runtime.backends.cpu.cache_folder import default_cache_folder, open_cache_folder, sole_writer
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system import kind


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and none of the variables that name another place."""
    for name in ("BIOGPT_ONNX_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("system", "folder"),
    [(kind.LINUX, ".cache"), (kind.MACOS, "Library/Caches"), (kind.WINDOWS, "AppData/Local"), ("freebsd14", ".cache")],
)
def test_the_cache_is_where_the_system_keeps_such_things(
    system: str, folder: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "NAME", system)
    assert default_cache_folder() == home / folder / "biogpt-onnx"


def test_the_environment_names_another_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_cache_folder() == home / ".cache" / "biogpt-onnx"
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert default_cache_folder() == Path("/elsewhere/biogpt-onnx")
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", "/mine")
    assert default_cache_folder() == Path("/mine")
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", "")
    assert default_cache_folder() == Path("/elsewhere/biogpt-onnx")


def test_a_user_without_a_home_folder_is_told_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError(f"{home} is not a home folder")

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(ConfigError, match=r"no home folder.*BIOGPT_ONNX_CACHE"):
        default_cache_folder()


def test_a_new_folder_is_its_users_alone_and_a_link_to_one_is_followed(tmp_path: Path) -> None:
    folder = open_cache_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(folder)
    assert open_cache_folder(tmp_path / "link") == folder.resolve()


def test_a_folder_in_which_anybody_may_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match=r"written by other users \(mode 1777\)"):
        open_cache_folder(tmp_path)


def test_the_only_writer_clears_what_others_left_but_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-x").mkdir()
    (tmp_path / ".unfinished-x" / "file").write_text("x")
    (tmp_path / "entry").mkdir()
    with sole_writer(tmp_path):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "entry"]
