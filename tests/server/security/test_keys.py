"""Keys are read from a file of their owner's alone, and read again without a moment without keys."""

from pathlib import Path

import pytest

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.system import kind
from biogpt_onnx.server.security.keys import ApiKeys

FIRST, SECOND = "first-key-0123456789", "second-key-012345678"


def written(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_each_key_is_accepted_and_nothing_else(tmp_path: Path) -> None:
    keys = ApiKeys(written(tmp_path, f"# of two clients\n{FIRST}\n\n  {SECOND}\n"))
    assert keys.accepts(f"Bearer {FIRST}")
    assert keys.accepts(f"bearer {SECOND}")
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        FIRST,
        f"Basic {FIRST}",
        f"Bearer {FIRST}x",
        "Bearer # of two clients",
    ):
        assert not keys.accepts(header)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others may use it; run chmod 600"):
        ApiKeys(written(tmp_path, FIRST, mode))


def test_a_group_may_read_the_file_as_credentials_of_a_service_are(tmp_path: Path) -> None:
    assert ApiKeys(written(tmp_path, FIRST, 0o440)).accepts(f"Bearer {FIRST}")


@pytest.mark.parametrize("content", ["", "# none\n\n", "short", "a key with spaces in it", "schlüssel-mit-umlaut-123"])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match="the key file"):
        ApiKeys(written(tmp_path, content))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            ApiKeys(path)


def test_keys_are_read_again_and_stay_if_that_fails(tmp_path: Path) -> None:
    path = written(tmp_path, FIRST)
    keys = ApiKeys(path)
    path.write_text(SECOND)
    keys.reload()
    assert keys.accepts(f"Bearer {SECOND}")
    assert not keys.accepts(f"Bearer {FIRST}")
    path.write_text("")
    with pytest.raises(ConfigError):
        keys.reload()
    assert keys.accepts(f"Bearer {SECOND}")


def test_on_windows_the_mode_says_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file has the mode 666 there, so that no server with keys could be started."""
    monkeypatch.setattr(kind, "NAME", kind.WINDOWS)
    assert ApiKeys(written(tmp_path, FIRST, 0o666)).accepts(f"Bearer {FIRST}")


def test_a_file_that_is_no_list_of_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has over 1,000,000 bytes: give one key a line"):
        ApiKeys(written(tmp_path, f"{FIRST}\n" * 50_000))
