"""A short fuzzing of every reader, and the inputs that a long one has kept."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from biogpt_onnx.runtime.errors import DocumentError

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")

INPUTS = 150
NAMES = (
    *("torch file", "safetensors", "fairseq dictionary", "fairseq merges", "checkpoint config", "generation config"),
    *(
        "adapter config",
        "manifest",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "text",
        "jsonl",
        "json",
        "csv",
    ),
    *(
        "tsv",
        "pubtator",
        "bioc",
        "biocjson",
        "pubmed",
        "jats",
        "any document",
        "tar archive",
        "parquet",
        "lexicon",
        "task definition",
    ),
    *("gold of bc5cdr", "gold of pubmedqa", "gold of ddi", "gold of hoc"),
)


Readers = Mapping[str, Any]


def fuzzing(module: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.fuzzing.{module}")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    pytest.importorskip("safetensors")
    return dict(fuzzing("all_readers").all_readers(tmp_path_factory.mktemp("readers"), with_server=False))


def try_input(reader: Any, data: bytes) -> Any:
    return fuzzing("trial").try_input(reader, data)


def reader_of(readers: Readers, name: str) -> Any:
    if name not in readers:
        pytest.skip(f"a package that the reader of {name} needs is not installed")
    return readers[name]


def test_every_reader_is_among_those_that_are_tried(readers: Readers) -> None:
    assert readers.keys() <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_good_inputs_are_read_and_no_bad_one_raises_anything_but_an_error_for_users(
    readers: Readers, name: str
) -> None:
    reader = reader_of(readers, name)
    assert all(try_input(reader, data).signature.startswith("read") for data in reader.seeds)
    mutator = fuzzing("mutation").Mutator(reader.seeds, reader.tokens, "suite")
    seen = set()
    for data in (*fuzzing("corpus").read_corpus(name).values(), *(mutator.next() for _ in range(INPUTS))):
        outcome = try_input(reader, data)
        assert outcome.problem is None, data[:500]
        seen.add(outcome.signature)
        mutator.keep(data)
    assert len(seen) > 1


@pytest.mark.parametrize("digits", ["1" * 5000, "-" + "9" * 5000])
@pytest.mark.parametrize("name", ["manifest", "vocab.json", "tokenizer_config.json", "gold of bc5cdr", "jsonl"])
def test_a_number_of_more_digits_than_python_reads_is_an_error_for_users(
    readers: Readers, name: str, digits: str
) -> None:
    reader = reader_of(readers, name)
    outcome = try_input(reader, b'{"format_version": ' + digits.encode() + b"}")
    assert outcome.problem is None


def test_faults_of_a_reader_are_found() -> None:
    def read(data: bytes) -> None:
        if data == b"bad":
            raise DocumentError("it is bad: mend it")
        if data == b"worse":
            raise KeyError("x")

    reader = fuzzing("readers").Reader("one with a fault", read, (b"good",))
    assert try_input(reader, b"good").signature == "read"
    assert try_input(reader, b"bad").problem is None
    assert "KeyError" in str(try_input(reader, b"worse").problem)


def test_large_inputs_have_a_megabyte() -> None:
    inflation = fuzzing("inflation")
    made = list(inflation.inflated((b'{"a": 1}', b""), (b"word",), "0"))
    assert all(0.99 * inflation.MEGABYTE < len(data) <= inflation.MEGABYTE for data in made)
    assert len(made) > 20


def test_the_shortest_input_of_each_outcome_is_kept(tmp_path: Path) -> None:
    corpus = fuzzing("corpus")
    assert corpus.add_to_corpus("some reader", {"read": b"long", "error": b"x" * 9000}, tmp_path) == 1
    assert corpus.add_to_corpus("some reader", {"read": b"longer than that"}, tmp_path) == 0
    assert corpus.add_to_corpus("some reader", {"read": b"s"}, tmp_path) == 1
    assert corpus.read_corpus("some reader", tmp_path) == {"read": b"s"}


def test_a_report_goes_on_with_the_readers_that_had_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, path = fuzzing("__main__"), tmp_path / "report.json"
    problems = {"a": [], "b": [{"problem": "it hung", "input": "00"}], "c": [{"problem": "too large", "input": "01"}]}
    asked: list[str] = []

    def fuzz(reader: str, _: Any) -> dict[str, Any]:
        asked.append(reader)
        return {"inputs": 10, "seconds": 0.1, "problems": problems[reader], "shortest": {}}

    monkeypatch.setattr(program, "all_readers", lambda _: dict.fromkeys(problems))
    monkeypatch.setattr(program, "_fuzz", fuzz)
    words = ["--output", str(path), "--inputs", "10"]
    assert program.main(words) == 1
    problems["b"] = []
    assert program.main([*words, "--continue", "--reader", "a", "b"]) == 1
    assert asked == ["a", "b", "c", "b"]
    found = json.loads(path.read_text(encoding="utf-8"))
    assert [len(found["readers"][name]["problems"]) for name in "abc"] == [0, 0, 1]
    assert (found["inputs"], found["problems"]) == (30, 1)
    assert {result["commit"] for result in found["readers"].values()} == {found["machine"]["commit"]}
    assert program.main([*words, "--continue", "--inputs", "11", "--reader", "a"]) == 1
    assert asked[4:] == ["a"]
