"""Concept ids from a file."""

import json
from pathlib import Path

import pytest

from biogpt_onnx.files.lexicon import Lexicon, read_lexicon
from biogpt_onnx.runtime.errors import DocumentError
from makers.documents import save


def test_names_are_found_whatever_their_case_and_spaces(tmp_path: Path) -> None:
    path = save(tmp_path, "a.json", "\ufeff" + json.dumps({"Cardiac  Asystole": "D006323", "ß": "b"}))
    lexicon = read_lexicon(path)
    assert lexicon.concept("cardiac asystole") == lexicon.concept("CARDIAC\nASYSTOLE") == "D006323"


def test_a_name_without_an_id_stands_for_itself() -> None:
    assert Lexicon().concept("Heart  Block") == "heart block"


def test_the_same_id_twice_is_no_contradiction(tmp_path: Path) -> None:
    path = save(tmp_path, "a.json", '{"Aspirin": "D1", "aspirin": "D1", "aspirin": "D1"}')
    assert read_lexicon(path).concepts == {"aspirin": "D1"}


@pytest.mark.parametrize("names", ['"aspirin": "D1", "aspirin": "D2"', '"Aspirin": "D1", "aspirin ": "D2"'])
def test_two_ids_of_one_name_are_both_named(tmp_path: Path, names: str) -> None:
    with pytest.raises(DocumentError, match=r"a\.json: 'aspirin' has two ids, 'D1' and 'D2'"):
        read_lexicon(save(tmp_path, "a.json", f"{{{names}}}"))


@pytest.mark.parametrize(
    "data", ['{"": "D1"}', '{"a": 5}', '{"a": ""}', '{"a": "D\\t1"}', '{"a": {"b": "c"}}', '{"a": null}']
)
def test_a_name_or_an_id_that_is_none_is_refused(tmp_path: Path, data: str) -> None:
    with pytest.raises(DocumentError, match="plain string"):
        read_lexicon(save(tmp_path, "a.json", data))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'[["a", "D1"]]', b"5", b"\xff\xfe", b"[" * 99_999])
def test_a_file_that_is_no_object_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"a\.json is "):
        read_lexicon(save(tmp_path, "a.json", data))


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"absent\.json cannot be read"):
        read_lexicon(tmp_path / "absent.json")
