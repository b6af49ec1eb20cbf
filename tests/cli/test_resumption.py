"""A run that goes on answers its rows in the batches of an undisturbed one, on which results of some recipes depend."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, DeviceMemoryError, MemoryLimitError
from biogpt_onnx.cli import main
from biogpt_onnx.files.journal.journal import SUFFIX
from biogpt_onnx.files.output import _JournaledResults as JournaledResults
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.memory.guard import CacheGuard
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.relations import RelationTask
from biogpt_onnx.tasks.results import Relation, Relations

# Of unlike lengths: batches of two are made within windows of eight.
TEXTS = [f"Lithium{' and cisplatin' * (number * 5 % 7)} caused tremor in {number} patients." for number in range(11)]
BATCH_SIZE = 2


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def int8_weights(mini_by: Callable[[str], Path]) -> Path:
    """The embedded checkpoint by the recipe whose scores depend on the batch on processors with AVX-512."""
    return mini_by("int8-weights")


def relations(bundle: Path, documents: Path, output: Path, *more: str) -> list[str]:
    settings = ["--task", "bc5cdr", "--batch-size", str(BATCH_SIZE), "--threads", "1"]
    return ["relations", str(bundle), str(documents), "-o", str(output), *settings, *more]


def journal_of_all(bundle: Path, documents: Path, output: Path) -> Path:
    """The journal of a run that was interrupted after its last row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournaledResults, "finish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(relations(bundle, documents, output)) == 130
    return output.with_name(output.name + SUFFIX)


def answers_that_name_their_batch(
    _task: RelationTask, _model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False
) -> list[Relations]:
    """Stands for a model whose results depend on the batch."""
    assert not free
    batch = " | ".join(one.source.text for one in prepared)
    relation = Relation(batch, "CID", "tremor", None, None, -1.0)
    return [Relations((relation,), (), batch, 1, complete=True) for _ in prepared]


def torn(journal: bytes, records: int) -> list[bytes]:
    """A journal that a crash has left with so many whole records: cut behind the last, and within the next."""
    lines = journal.splitlines(keepends=True)
    whole = b"".join(lines[: 1 + records])
    return [whole, whole + b"".join(lines[1 + records : 2 + records])[:-9]]


@pytest.mark.parametrize("records", [0, 1, 5, 8, 9, 10, 11])
def test_rows_stand_in_the_batches_of_an_undisturbed_run_wherever_a_journal_is_torn(
    mini_bundle: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    monkeypatch.setattr(RelationTask, "answer", answers_that_name_their_batch)
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert main(relations(mini_bundle, documents, whole)) == 0
    journal = journal_of_all(mini_bundle, documents, output)
    for content in torn(journal.read_bytes(), records):
        journal.write_bytes(content)
        assert main(relations(mini_bundle, documents, output, "--overwrite")) == 0
        assert output.read_bytes() == whole.read_bytes()
        assert not journal.exists()


def test_a_torn_run_of_a_recipe_that_depends_on_the_batch_ends_with_the_same_bytes(
    int8_weights: Path, documents: Path, tmp_path: Path
) -> None:
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert main(relations(int8_weights, documents, whole)) == 0
    journal = journal_of_all(int8_weights, documents, output)
    left = [torn(journal.read_bytes(), records)[1] for records in (3, 9)]
    for content in left:
        journal.write_bytes(content)
        assert main(relations(int8_weights, documents, output, "--overwrite")) == 0
        assert output.read_bytes() == whole.read_bytes()


def test_a_recipe_that_depends_on_the_batch_goes_on_with_the_same_batch_size_alone(
    int8_weights: Path, mini_bundle: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal_of_all(int8_weights, documents, tmp_path / "a.jsonl")
    capsys.readouterr()
    assert main(relations(int8_weights, documents, tmp_path / "a.jsonl", "--batch-size", "4")) == 2
    assert "of a run with batch_size 2 (it is 4 now)" in capsys.readouterr().err
    assert main(relations(int8_weights, documents, tmp_path / "a.jsonl")) == 0
    # Batches of float32 change nothing, and where memory was short, smaller ones may go on.
    journal_of_all(mini_bundle, documents, tmp_path / "b.jsonl")
    assert main(relations(mini_bundle, documents, tmp_path / "b.jsonl", "--batch-size", "1")) == 0


def test_a_run_that_finds_no_memory_stops_and_goes_on_when_there_is_some(
    mini_bundle: Path,
    documents: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, output = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert main(relations(mini_bundle, documents, whole)) == 0
    journal = output.with_name(output.name + SUFFIX)
    answer = RelationTask.answer

    def scarce(task: RelationTask, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> object:
        if any("9 patients" in one.source.text for one in prepared):
            raise DeviceMemoryError("a cache for 40 tokens needs about 9 MiB more memory")
        return answer(task, model, prepared, free=free)

    with monkeypatch.context() as patched:
        patched.setattr(RelationTask, "answer", scarce)
        assert main(relations(mini_bundle, documents, output)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line == (
            "error: line 10: a cache for 40 tokens needs about 9 MiB more memory. Less is needed with --batch-size 1, "
            "or with --max-positions, beyond which a document is too long (see --too-long); 8 results are kept in "
            f"{journal}: the same command goes on behind them"
        )
        assert not output.exists()
        # Nor does it end otherwise while there is no more.
        assert main(relations(mini_bundle, documents, output)) == 2
    assert main(relations(mini_bundle, documents, output)) == 0
    assert output.read_bytes() == whole.read_bytes()


def test_a_document_that_never_fits_in_memory_does_not_keep_the_others_from_their_answers(
    mini_bundle: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = " ".join(["Lithium caused tremor in the patients."] * 30)
    documents.write_text("\n".join([*TEXTS, long, "Cisplatin caused nausea.", ""]), encoding="utf-8")
    output = tmp_path / "out.jsonl"

    def check(_guard: CacheGuard, tokens: Sequence[int]) -> None:
        if max(tokens) > 150:
            raise MemoryLimitError("a cache does not fit")

    monkeypatch.setattr(CacheGuard, "check_cache", check)
    command = relations(mini_bundle, documents, output, "--too-long", "error")
    assert main(command) == 2
    assert main([*command, "--max-positions", "170"]) == 1
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["line"] for record in records if "error" in record] == [12]


def test_results_that_are_streamed_end_where_there_is_no_memory(
    mini_bundle: Path, documents: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryLimitError("a cache does not fit")

    monkeypatch.setattr(KeyValueCache, "allocate", refuse)
    assert main(["relations", str(mini_bundle), str(documents), "--task", "bc5cdr", "--threads", "1"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
