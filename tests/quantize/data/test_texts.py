import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from biogpt_onnx.quantize.data.texts import (
    BuiltInTextError,
    calibration_texts,
    evaluation_texts,
    read_passages,
    search_texts,
)
from biogpt_onnx.runtime.errors import BioGptError

FILES = {"calibration.txt": calibration_texts, "search.txt": search_texts, "evaluation.txt": evaluation_texts}


def copied(name: str, folder: Path) -> Path:
    with resources.as_file(resources.files("biogpt_onnx.quantize.data") / name) as source:
        shutil.copyfile(source, folder / name)
    return folder / name


@pytest.mark.parametrize("name", FILES)
def test_the_built_in_texts_are_installed_and_whole(name: str) -> None:
    passages = FILES[name]()
    assert len(passages) >= 9
    assert len(set(passages)) == len(passages)
    assert all(len(passage) > 100 and passage == " ".join(passage.split()) for passage in passages)


def test_no_passage_has_two_uses() -> None:
    passages = [passage for texts in FILES.values() for passage in texts()]
    assert len(set(passages)) == len(passages)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "blank": lambda _: b"\n\n\n",
    "cut short": lambda content: content[:-40],
    "a passage lost": lambda content: content.partition(b"\n\n")[2],
    "a word altered": lambda content: content.replace(b" the ", b" a ", 1),
    "not UTF-8": lambda content: content.replace(b"e", b"\xe9", 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_text_is_one_clear_error_and_never_less_text(
    name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied(name, tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    monkeypatch.setattr("biogpt_onnx.quantize.data.texts._file", lambda _: path)
    with pytest.raises(BuiltInTextError, match=rf"built-in text {name} .*: install biogpt-onnx again") as caught:
        FILES[name].__wrapped__()
    assert isinstance(caught.value, BioGptError)
    assert "\n" not in str(caught.value)


def test_a_missing_text_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BuiltInTextError, match=r"built-in text search\.txt cannot be read"):
        read_passages(tmp_path / "search.txt", "")


def test_line_ends_of_windows_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied("search.txt", tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr("biogpt_onnx.quantize.data.texts._file", lambda _: path)
    assert search_texts.__wrapped__() == search_texts()
