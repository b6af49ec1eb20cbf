import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from conftest import MakeOnce
from makers.bundles import as_written_before_hidden_states
from makers.checkpoints import SEQUENCE, TOKENS, lively_tensors, tiny_architecture, write_huggingface

ARCHITECTURE = tiny_architecture(max_positions=120)
ROWS = [
    {"id": "a", "title": "Tremor", "text": "Lithium \u2013 in 2 of 9."},
    {"id": "b", "text": ""},
    {"id": "c", "text": "a b c. " * 60},
    {"id": "d", "text": "Aspirin"},
]

Out = Callable[[], Any]


@pytest.fixture(scope="module")
def classifier(make_once: MakeOnce) -> Path:
    return make_once("head-commands-classify", lambda to: make(to, SEQUENCE))


@pytest.fixture(scope="module")
def tagger(make_once: MakeOnce) -> Path:
    return make_once("head-commands-tag", lambda to: make(to, TOKENS))


def make(target: Path, head: biogpt_onnx.runtime.bundle.ClassificationHead) -> None:
    source = target.with_name(f"{target.name}-checkpoint")
    write_huggingface(source, ARCHITECTURE, lively_tensors(ARCHITECTURE, head=head), head=head)
    export_bundle(open_checkpoint(source), target)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_classify_gives_each_row_its_labels_or_its_error(
    classifier: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(classifier), str(documents)]) == 1
    captured = capsys.readouterr()
    found = records(captured.out)
    assert [record["id"] for record in found] == ["a", None, "c", "d"]
    assert ["error" in record for record in found] == [False, True, True, False]
    assert [line.split(":")[1] for line in captured.err.splitlines()] == [" line 2", " line 3"]
    model = biogpt_onnx.load(classifier, warm_up=False)
    expected = model.classify_texts("Tremor Lithium \u2013 in 2 of 9.")
    assert found[0]["probabilities"] == dict(expected.probabilities)
    assert (found[0]["label"], found[0]["read"]) == (expected.label, len("Tremor Lithium - in 2 of 9."))


def test_a_long_document_can_be_cut(
    classifier: Path, tagger: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, bundle in (("classify", classifier), ("tag", tagger), ("embed", tagger)):
        assert main([command, str(bundle), str(documents), "--too-long", "cut"]) == 1
        found = records(capsys.readouterr().out)
        assert ["error" in record for record in found] == [False, True, False, False]
        assert 0 < found[2]["read"] < len(str(ROWS[2]["text"]))


def test_tags_index_the_documents_own_characters(
    tagger: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", str(tagger), str(documents), "--normalize-punctuation"]) == 1
    first = records(capsys.readouterr().out)[0]
    text = "Tremor Lithium \u2013 in 2 of 9."
    assert all(text[one["start"] : one["end"]] == one["text"] for one in first["tokens"] + first["entities"])
    assert "\u2013" in {one["text"] for one in first["tokens"]}
    assert main(["tag", str(tagger), str(documents), "--aggregation-strategy", "simple"]) == 1
    simple = records(capsys.readouterr().out)[0]
    assert simple["entities"] != first["entities"]


def test_vectors_are_written_as_lines_or_as_an_array(
    mini_bundle: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, array = tmp_path / "vectors.jsonl", tmp_path / "vectors.npy"
    for output in (lines, array):
        assert main(["embed", str(mini_bundle), str(documents), "-o", str(output), "--normalize"]) == 1
    assert "line 2: the text is empty" in capsys.readouterr().err
    found, vectors = records(lines.read_text(encoding="utf-8")), np.load(array)
    assert (vectors.shape[0], vectors.dtype) == (len(ROWS), np.dtype(np.float32))
    assert np.isnan(vectors[1]).all()
    assert np.isfinite(vectors[[0, 2, 3]]).all()
    for record, vector in zip(found, vectors, strict=True):
        if "error" not in record:
            assert np.array(record["embedding"], dtype=np.float32).tobytes() == vector.tobytes()
    expected = biogpt_onnx.load(mini_bundle, warm_up=False).embed("Aspirin", normalize=True)
    assert vectors[3].tobytes() == expected.tobytes()


def test_an_interrupted_run_goes_on_with_its_vectors(
    mini_bundle: Path, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "vectors.npy"
    command = ["embed", str(mini_bundle), str(documents), "-o", str(output)]
    monkeypatch.setattr(
        "biogpt_onnx.files.vectors.Vectors.write_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert main(command) == 130
    assert not output.exists()
    monkeypatch.undo()
    calls: list[object] = []
    embed = biogpt_onnx.BioGPT.embed

    def counted(model: biogpt_onnx.BioGPT, texts: Any, **more: Any) -> Any:
        calls.append(texts)
        return embed(model, texts, **more)

    monkeypatch.setattr(biogpt_onnx.BioGPT, "embed", counted)
    assert main(command) == 1
    assert calls == ["a"]  # the trial alone: all rows were in the journal
    assert np.load(output).shape[0] == len(ROWS)
    assert main(["embed", str(mini_bundle), str(documents), "-o", str(output), "--pooling", "last"]) == 2


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["classify", "{tagger}"], "use the command tag"),
        (["tag", "{classifier}"], "use the command classify"),
        (["tag", "{mini}"], "is a language model without a token-classification head"),
        (["classify", "{classifier}", "--free"], "--free is for a model that generates its answer"),
        (["classify", "{classifier}", "--labels", "{labels}"], "--labels is for a model that generates"),
        (["relations", "{tagger}", "--task", "bc5cdr"], "has a token-classification head and cannot generate"),
        (["ask", "{classifier}"], "has a sequence-classification head and cannot generate"),
        (["describe", "{classifier}"], "use the command classify"),
        (["embed", "{old}"], "no output for hidden states"),
        (["tag", "{tagger}", "--device", "cuda"], "run on the CPU only"),
    ],
)
def test_a_bundle_of_another_kind_is_refused_before_any_work(  # noqa: PLR0913, PLR0917 -- one bundle of each kind
    command: list[str],
    message: str,
    classifier: Path,
    tagger: Path,
    mini_bundle: Path,
    documents: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a\nb\n", encoding="utf-8")
    old = tmp_path / "old"
    if "{old}" in command:
        as_written_before_hidden_states(mini_bundle, old)
    names = {"tagger": tagger, "classifier": classifier, "mini": mini_bundle, "labels": labels, "old": old}
    output = tmp_path / "out.jsonl"
    given = [part.format(**names) for part in command]
    assert main([*given[:2], str(documents), *given[2:], "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_generate_evaluate_and_bench_refuse_a_classifier_in_one_line(
    classifier: Path, mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, message in (
        (["generate", str(classifier), "a"], "no language-model head, so it cannot generate"),
        (["bench", str(classifier)], "cannot generate, which is what is measured"),
        (
            ["evaluate", str(mini_bundle), "--baseline", str(classifier), "--text", str(documents)],
            "has a classification head, and cannot be compared with a language model",
        ),
        (
            ["evaluate", str(classifier), "--baseline", str(mini_bundle), "--text", str(documents)],
            "has no classification head",
        ),
    ):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_info_and_export_name_head_and_labels(
    classifier: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(classifier)]) == 0
    text = capsys.readouterr().out
    assert "sequence-classification (single label classification), 3 labels" in text
    assert "none, mild, severe" in text
    source = classifier.with_name(f"{classifier.name}-checkpoint")
    assert main(["export", str(source), "-o", str(tmp_path / "bundle")]) == 0
    assert "sequence-classification with 3 labels" in capsys.readouterr().out
