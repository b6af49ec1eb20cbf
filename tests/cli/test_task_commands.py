import argparse
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from biogpt_onnx import BioGPT, DeviceMemoryError
from biogpt_onnx.cli import main
from biogpt_onnx.cli.arguments import tasks as task_arguments
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.files.output import _JournaledResults as JournaledResults
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.tasks import HOC, PUBMEDQA
from makers.checkpoints import tiny_architecture, write_huggingface

TEXTS = [
    "Lithium caused tremor in two of nine patients.",
    "Fatal renal failure was seen after high doses of cisplatin in a child with leukemia, who had seizures before.",
    "Cocaine-induced seizures were prevented by diazepam.",
    "Haloperidol.",
    "Nine rats were given caffeine and had tachycardia and hypertension.",
]


def lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return lines(tmp_path / "documents.txt", TEXTS)


@pytest.fixture
def hoc_bundle(tmp_path: Path) -> Path:
    """A model of one row of soft prompt, which says nothing sensible."""
    target = tmp_path / "hoc"
    architecture = tiny_architecture(soft_prompt_size=1, max_positions=256)
    export_bundle(open_checkpoint(write_huggingface(tmp_path / "DC-HoC", architecture)), target)
    return target


def relations(bundle: Path, *more: object) -> list[str]:
    return ["relations", str(bundle), "--task", "bc5cdr", *map(str, more)]


def test_relations_come_in_the_order_of_the_documents(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(relations(mini_bundle, documents, "--batch-size", "2")) == 0
    found = records(capsys.readouterr().out)
    assert [record["line"] for record in found] == [1, 2, 3, 4, 5]
    for record, text in zip(found, TEXTS, strict=True):
        for relation in record["relations"]:
            start, end = relation["head_span"]
            assert text[start:end] == relation["head"]
            assert relation["in_source"]


def test_batches_change_nothing(mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for size in ("1", "3", "8"):
        assert main(relations(mini_bundle, documents, "--batch-size", size)) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == outputs[2]


def test_a_bad_row_is_named_and_the_others_are_answered(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ['{"text": "Lithium caused tremor.", "id": "a"}', "{", '{"text": ""}', '{"text": "' + "word " * 3000 + '"}']
    path = lines(tmp_path / "rows.jsonl", [*rows, '{"text": "Cocaine caused seizures.", "id": "z"}'])
    assert main(relations(mini_bundle, path)) == 1
    captured = capsys.readouterr()
    found = records(captured.out)
    assert [record.get("id") for record in found] == ["a", None, None, None, "z"]
    assert ["error" in record for record in found] == [False, True, True, True, False]
    assert [line.partition(":")[0] for line in captured.err.splitlines()] == ["warning"] * 3
    assert [f"line {number}" in captured.err for number in (2, 3, 4)] == [True] * 3
    assert "tokens" in found[3]["error"]


def test_documents_that_are_too_many_at_a_time_are_answered_fewer_at_a_time(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    generate_ids = BioGPT.generate_ids

    def with_room_for_three(model: BioGPT, prompt_ids: Any, *given: Any, **more: Any) -> Any:
        sizes.append(len(prompt_ids))
        if len(prompt_ids) > 3:
            raise DeviceMemoryError("a cache of 9.9 GB does not fit in the device's memory")
        return generate_ids(model, prompt_ids, *given, **more)

    path = lines(tmp_path / "rows.txt", [f"Lithium caused tremor {number} times." for number in range(7)])
    assert main(relations(mini_bundle, path)) == 0
    expected = capsys.readouterr().out
    monkeypatch.setattr(BioGPT, "generate_ids", with_room_for_three)
    assert main(relations(mini_bundle, path)) == 0
    assert capsys.readouterr().out == expected
    assert sizes == [7, 3, 4, 2, 2]


@pytest.mark.parametrize(("device", "given", "size"), [("cpu", None, 8), ("cuda", None, 32), ("cuda", 5, 5)])
def test_more_documents_are_taken_together_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str, given: int | None, size: int
) -> None:
    default = CpuBackend.default_batch_size if device == "cpu" else CudaBackend.default_batch_size
    monkeypatch.setattr(task_arguments, "load", lambda *_, **__: SimpleNamespace(default_batch_size=default))
    options = argparse.Namespace(
        batch_size=given, device="auto", threads=None, expect=None, max_positions=None, check_memory=True
    )
    task_arguments.load_model(options, Path("bundle"))
    assert options.batch_size == size


def test_a_document_that_is_too_long_can_be_cut(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines(tmp_path / "long.txt", ["Lithium caused tremor. " * 1000])
    assert main(relations(mini_bundle, path, "--too-long", "cut")) == 0
    (record,) = records(capsys.readouterr().out)
    assert 0 < record["read"] < 23_000


def test_or_it_can_be_read_in_windows_beside_one_that_fails(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "Lithium caused tremor. " * 300
    path = lines(tmp_path / "long.txt", [long, "x" * 5000, "Lithium caused tremor."])
    assert main(relations(mini_bundle, path, "--too-long", "windows")) == 1
    read, failed, short = records(capsys.readouterr().out)
    assert read["read"] == len(long.rstrip())
    assert "shorten it" in failed["error"]
    assert short["read"] == len("Lithium caused tremor.")


def test_results_are_drawn_for_people(mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(relations(mini_bundle, documents, "--draw")) == 0
    drawn = capsys.readouterr().out
    assert documents.read_text(encoding="utf-8").splitlines()[0] in drawn
    assert main(relations(mini_bundle, documents, "--draw", "--output-format", "pubtator")) == 2


@pytest.mark.parametrize("name", ["out.pubtator", "out.xml", "out.jsonl"])
def test_the_outputs_name_says_its_form(mini_bundle: Path, documents: Path, tmp_path: Path, name: str) -> None:
    if name.endswith(".xml"):
        pytest.importorskip("bioc")
    assert main(relations(mini_bundle, documents, "-o", tmp_path / name)) == 0
    text = (tmp_path / name).read_text(encoding="utf-8")
    beginnings = {"out.pubtator": "1|t|", "out.xml": "<collection>", "out.jsonl": '{"line": 1'}
    assert text.startswith(beginnings[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["documents.txt", name])


def test_pubtator_goes_in_and_out_with_its_ids(mini_bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.pubtator"
    source.write_text("77|t|Tremor due to lithium\n77|a|Lithium caused tremor in two patients.\n\n", encoding="utf-8")
    lexicon = tmp_path / "lexicon.json"
    lexicon.write_text(json.dumps({"lithium": "D008094", "tremor": "D014202"}), encoding="utf-8")
    assert main(relations(mini_bundle, source, "-o", tmp_path / "out.pubtator", "--lexicon", lexicon)) == 0
    out = (tmp_path / "out.pubtator").read_text(encoding="utf-8")
    assert out.startswith("77|t|Tremor due to lithium\n77|a|Lithium caused tremor in two patients.\n")
    for line in out.splitlines()[2:]:
        if line.count("\t") == 5:
            _, start, end, text, _, _ = line.split("\t")
            assert "Tremor due to lithium Lithium caused tremor in two patients."[int(start) : int(end)] == text


ANNOTATED = """\
7|t|Lithium.
7|a|Lithium caused tremor and ataxia in nine rats.
7\t0\t7\tLithium\tChemical\tD008094
7\t24\t30\ttremor\tDisease\tD014202

8|t|Nothing is annotated here.
8|a|Cisplatin caused renal failure.

"""


def test_relations_of_the_entities_that_the_file_names_alone(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, json_lines = tmp_path / "in.pubtator", tmp_path / "in.jsonl"
    file.write_text(ANNOTATED)
    entities = [
        {"text": "Lithium", "type": "Chemical", "concept": "D008094"},
        {"text": "tremor", "type": "Disease", "concept": "D014202"},
    ]
    rows = [
        {"title": "Lithium.", "text": "Lithium caused tremor and ataxia in nine rats.", "entities": entities},
        {"title": "Nothing is annotated here.", "text": "Cisplatin caused renal failure.", "entities": []},
    ]
    json_lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for path in (file, json_lines):
        assert main(relations(mini_bundle, path, "--given-entities")) == 0
        found.append([record["relations"] for record in records(capsys.readouterr().out)])
    assert found[0] == found[1]
    assert {(one["head"], one["tail"]) for one in found[0][0]} <= {("Lithium", "tremor")}
    assert found[0][1] == []


def test_by_default_what_a_file_names_changes_nothing(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for number, text in enumerate((ANNOTATED, ANNOTATED.replace("\ttremor\tDisease", "\tnine\tDisease"))):
        file = tmp_path / f"{number}.pubtator"
        file.write_text(text)
        assert main(relations(mini_bundle, file)) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def given(bundle: Path, file: Path, *more: object) -> list[str]:
    return relations(bundle, file, "--given-entities", *more)


def test_types_are_those_of_the_task_by_whatever_name(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for number, (chemical, disease, options) in enumerate(
        [
            ("Chemical", "Disease", []),
            ("ChemicalEntity", "DiseaseOrPhenotypicFeature", []),
            ("T103", "T038", ["--entity-type", "Chemical=T103", "--entity-type", "disease=T038"]),
        ]
    ):
        file = tmp_path / f"{number}.pubtator"
        file.write_text(ANNOTATED.replace("\tChemical", f"\t{chemical}").replace("\tDisease", f"\t{disease}"))
        assert main(given(mini_bundle, file, *options)) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        outputs.append(captured.out)
    assert outputs[0] == outputs[1] == outputs[2]
    assert records(outputs[0])[0]["relations"]


@pytest.mark.parametrize(
    ("chemical", "disease", "says"),
    [
        ("T103", "T038", "of the types T103 (1), T038 (1), none of which is a Chemical or a Disease, so"),
        ("Chemical", "T038", "of the types Chemical (1), T038 (1), none of which is a Disease, so"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_file_of_whose_types_none_is_wanted_is_warned_of(  # noqa: PLR0913, PLR0917 -- fixtures
    chemical: str,
    disease: str,
    says: str,
    is_stream: bool,  # noqa: FBT001
    mini_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "in.pubtator"
    file.write_text(ANNOTATED.replace("\tChemical", f"\t{chemical}").replace("\tDisease", f"\t{disease}"))
    name: object = file
    if is_stream:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
        name = "-"
    assert main(relations(mini_bundle, name, "--given-entities", "--format", "pubtator")) == 0
    captured = capsys.readouterr()
    assert captured.err.count("warning: ") == 1
    assert says in captured.err
    assert f"--entity-type {'Disease' if chemical == 'Chemical' else 'Chemical'}=T" in captured.err
    assert [record["relations"] for record in records(captured.out)] == [[], []]


@pytest.mark.parametrize("source", ["-", "in.txt"])
def test_an_input_without_documents_is_warned_of(
    source: str,
    mini_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_bytes(b"\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert main(relations(mini_bundle, source, "-o", "out.jsonl")) == 0
    name = "standard input" if source == "-" else source
    assert capsys.readouterr().err == f"warning: {name} holds no document, so that there is no result\n"
    assert Path("out.jsonl").read_bytes() == b""


def test_a_file_that_names_nothing_is_warned_of(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.pubtator"
    file.write_text("7|t|Lithium caused tremor.\n")
    assert main(given(mini_bundle, file)) == 0
    assert f"warning: {file} names no entities, so" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("Chemical", "give a type of the task and the file's"),
        ("Chemical=", "give a type of the task and the file's"),
        ("Gene=T116", "the task bc5cdr has the types Chemical and Disease"),
    ],
)
def test_a_name_of_a_type_must_be_one_of_the_tasks(
    argument: str, says: str, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.pubtator"
    file.write_text(ANNOTATED)
    assert main(given(mini_bundle, file, "--entity-type", argument)) == 2
    assert says in capsys.readouterr().err
    assert main(relations(mini_bundle, file, "--entity-type", "Chemical=T103")) == 2
    assert "--entity-type names types of --given-entities" in capsys.readouterr().err


def test_pubtator_is_told_by_its_content_and_keeps_the_ids_of_its_entities(mini_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "corpus_pubtator.txt"
    file.write_text(ANNOTATED)
    for number, options in enumerate((["--given-entities"], [])):
        out = tmp_path / f"{number}.pubtator"
        assert main(relations(mini_bundle, file, "-o", out, *options)) == 0
        lines = out.read_text().splitlines()
        assert len([line for line in lines if "|t|" in line]) == 2
        assert "7\t0\t7\tLithium\tChemical\tD008094" in lines
        assert any(line.startswith("7\tCID\tD008094\t") for line in lines)
    bioc = tmp_path / "out.xml"
    assert main(relations(mini_bundle, file, "-o", bioc, "--given-entities")) == 0
    assert '<infon key="identifier">D014202</infon>' in bioc.read_text()


def test_ids_and_places_of_given_entities_are_in_the_records(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entities = [
        {"text": "LITHIUM", "type": "drug", "span": [17, 24], "concept": "D008094"},
        {"text": "tremor", "type": "Disease", "concept": 14202},
    ]
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"text": "Lithium it was: lithium caused tremor.", "entities": entities}) + "\n")
    file.write_text(file.read_text().replace("was: lithium", "was:  LITHIUM"))
    assert main(given(mini_bundle, file)) == 0
    (relation,) = records(capsys.readouterr().out)[0]["relations"]
    assert (relation["head"], relation["head_span"], relation["head_concept"]) == ("LITHIUM", [17, 24], "D008094")
    assert relation["tail_concept"] == "14202"


def test_an_entity_that_the_document_does_not_hold_is_an_error_of_its_row(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.pubtator"
    file.write_text(ANNOTATED + "9|t|Lithium caused tremor.\n9\t2\t9\taspirin\tChemical\tD1\n")
    assert main(given(mini_bundle, file)) == 1
    captured = capsys.readouterr()
    assert ["error" in record for record in records(captured.out)] == [False, False, True]
    assert "line 9: the document's entity 1, at 2 to 9, has a name that stands neither there nor else" in captured.err
    assert main(relations(mini_bundle, file)) == 0


@pytest.mark.parametrize(
    ("field", "says"),
    [
        (', "entities": [7]', "the field entities holds a number: give names, or objects with"),
        (', "entities": [{"type": "Chemical"}]', "the field entities holds an object: give names, or objects with"),
        (', "entities": "Lithium"', "the field entities is a string: give a list of what the text names"),
        (', "entities": null', "the field entities is null: give a list of what the text names"),
        (', "entities": [{"text": "X", "span": [1]}]', "the field entities holds a span that is not [start, end]"),
        (', "entities": [{"text": "X", "span": [1, true]}]', "the field entities holds a span that is not [start"),
        (', "entities": [{"text": "X", "concept": []}]', "the field concept is a list: give a string"),
        ("", "it has no field entities: add it"),
    ],
)
def test_rows_that_do_not_say_what_they_name_are_bad_where_that_is_wanted_and_good_elsewhere(
    field: str, says: str, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(f'{{"text": "Lithium caused tremor."{field}}}\n')
    assert main(relations(mini_bundle, file, "--given-entities")) == 1
    assert f"line 1: {says}" in capsys.readouterr().err
    assert main(relations(mini_bundle, file)) == 0


def test_given_entities_and_free_decoding_exclude_each_other(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(relations(mini_bundle, documents, "--given-entities", "--free")) == 2
    assert capsys.readouterr().err.startswith("error: --given-entities keeps the model to names, --free lets it")


@pytest.mark.parametrize("options", [[], ["--format", "text"], ["--format", "csv"]])
def test_a_file_that_can_name_nothing_is_refused_where_names_are_wanted(
    options: list[str], mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(relations(mini_bundle, documents, "--given-entities", *options)) == 2
    assert capsys.readouterr().err.startswith("error: --given-entities needs a file that names them: give PubTator")


def test_questions_are_answered(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "questions.csv"
    path.write_text(
        'id,question,context\n1,Does it work?,"It works, they say."\n2,,Six of nine got better.\n', encoding="utf-8"
    )
    assert main(["ask", str(mini_bundle), str(path), "--question", "Did they get better?"]) == 0
    found = records(capsys.readouterr().out)
    assert [record["id"] for record in found] == ["1", "2"]
    for record in found:
        assert record["label"] in PUBMEDQA.labels
        assert sum(record["probabilities"].values()) == pytest.approx(1)


PUBMEDQA_ROWS = {
    "hub": {
        "pubid": 7,
        "question": "Does it?",
        "context": {"contexts": ["It works.", "They say."]},
        "long_answer": "Yes.",
    },
    "list": {"id": 7, "question": "Does it?", "context": ["It works. ", "They\n say."], "LONG_ANSWER": "Yes."},
    "plain": {"id": "7", "question": "Does it?", "context": "It works. They say.", "conclusion": " Yes. "},
}


def test_a_conclusion_is_shown_only_with_the_option_for_it_whatever_the_form_of_the_row(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs: dict[str, set[str]] = {}
    for name, row in PUBMEDQA_ROWS.items():
        path = lines(tmp_path / f"{name}.jsonl", [json.dumps(row)])
        for more in ("", "--with-conclusion"):
            assert main(["ask", str(mini_bundle), str(path), *filter(None, [more])]) == 0
            outputs.setdefault(more, set()).add(capsys.readouterr().out)
    assert [len(found) for found in outputs.values()] == [1, 1]
    assert outputs[""] != outputs["--with-conclusion"]
    assert '"id": "7"' in next(iter(outputs[""]))


def test_pubmedqas_own_files_are_answered_without_their_conclusions(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "question: Does it? context: It works. They say. answer: Yes.\tyes\n"
    own = {"7": {"QUESTION": "Does it?", "CONTEXTS": ["It works.", "They say."], "LONG_ANSWER": "Yes."}}
    files = {"test.tsv": table, "own.json": json.dumps(own, indent=1)}
    answers = {}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        for more in ([], ["--with-conclusion"]):
            assert main(["ask", str(mini_bundle), str(tmp_path / name), *more]) == 0
            captured = capsys.readouterr()
            assert captured.err == ""
            (record,) = records(captured.out)
            answers[name, bool(more)] = record["probabilities"]
    for with_conclusion in (False, True):
        assert answers["test.tsv", with_conclusion] == answers["own.json", with_conclusion]
    assert answers["test.tsv", False] != answers["test.tsv", True]


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("hoc.tsv", "Vessels grow towards the tumour .\tinducing angiogenesis\n", []),
        ("blurb.tsv", "index\tsentence\tlabel\n0\tVessels grow towards the tumour .\tinducing angiogenesis\n", []),
        ("none.csv", "0,Vessels grow towards the tumour .\n", ["--no-header", "--fields", "text=2,id=1"]),
        ("own.csv", '"Words, so","No."\nVessels grow towards the tumour .,0\n', ["--fields", "text=Words, so,id=no."]),
        ("own.jsonl", '{"body": "Vessels grow towards the tumour ."}\n', ["--fields", "text=body"]),
    ],
)
def test_any_table_can_be_read(  # noqa: PLR0913, PLR0917 -- fixtures
    hoc_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, options: list[str]
) -> None:
    wanted = lines(tmp_path / "wanted.txt", ["Vessels grow towards the tumour ."])
    assert main(["classify", str(hoc_bundle), str(wanted)]) == 0
    (record,) = records(capsys.readouterr().out)
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert main(["classify", str(hoc_bundle), str(tmp_path / name), *options]) == 0
    (found,) = records(capsys.readouterr().out)
    assert found["probabilities"] == record["probabilities"]
    assert found["id"] == (None if name in {"hoc.tsv", "own.jsonl"} else "0")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fields", "body=2"], "--fields 'body=2': give FIELD=NAME, where FIELD is one of text, id"),
        (["--fields", "text="], "--fields 'text=': give FIELD=NAME"),
        (["--fields", "text=a,text=b"], "--fields names text twice, 'a' and 'b'"),
        (["--fields", "entities=names"], "--given-entities alone reads"),
        (["--fields", "text=3"], "has no column 3 (it has one, two)"),
        (["--no-header"], "has 2 columns without names: say which of them is the text"),
        (["--no-header", "--format", "jsonl"], "--no-header is for tables"),
        (["--fields", "text=1", "--format", "text"], "--fields names the fields of JSON and tables, text has none"),
    ],
)
def test_fields_that_are_not_there_are_one_line(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    path = lines(tmp_path / "table.csv", ["one,two", "a,b"])
    assert main(relations(mini_bundle, path, *options)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_a_file_whose_content_is_not_what_its_name_says_is_read_with_a_note(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "corpus_pubtator.txt"
    path.write_text(ANNOTATED)
    assert main(relations(mini_bundle, path)) == 0
    captured = capsys.readouterr()
    assert [record["id"] for record in records(captured.out)] == ["7", "8"]
    assert captured.err.startswith("note: ")
    assert "is read as pubtator, which its content is; --format text reads it as its name says" in captured.err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "Does it?", "context": "Yes."}, "it has no field conclusion, long_answer or LONG_ANSWER"),
        ({"question": "Does it?", "context": "Yes.", "conclusion": " "}, "the field conclusion is empty"),
    ],
)
def test_a_row_without_the_conclusion_that_is_to_be_shown_is_a_bad_row(
    row: dict[str, str], says: str, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines(tmp_path / "rows.jsonl", [json.dumps(row)])
    assert main(["ask", str(mini_bundle), str(path), "--with-conclusion"]) == 1
    assert says in json.loads(capsys.readouterr().out)["error"]


def test_a_file_without_fields_is_refused_where_conclusions_are_to_be_shown(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", str(mini_bundle), str(documents), "--question", "Does it?", "--with-conclusion"]) == 2
    assert capsys.readouterr().err.startswith("error: --with-conclusion needs a field conclusion, which text has no")


def test_a_context_without_a_question_is_a_bad_row(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", str(mini_bundle), str(documents)]) == 1
    captured = capsys.readouterr()
    assert all("question" in record["error"] for record in records(captured.out))


def test_sentences_are_classified(hoc_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(hoc_bundle), str(documents)]) == 0
    for record in records(capsys.readouterr().out):
        assert set(record["labels"]) <= set(HOC.labels)
        assert record["labels"]


def test_labels_of_ones_own(
    hoc_bundle: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = lines(tmp_path / "labels.txt", ["case report", "", "trial"])
    assert main(["classify", str(hoc_bundle), str(documents), "--labels", str(labels)]) == 0
    assert all(set(record["probabilities"]) == {"case report", "trial"} for record in records(capsys.readouterr().out))


def test_terms_are_described(mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = lines(tmp_path / "terms.txt", ["Lithium", "Aspirin"])
    command = ["describe", str(mini_bundle), str(path), "--num-beams", "2", "--min-new-tokens", "3"]
    assert main([*command, "--max-new-tokens", "8"]) == 0
    found = records(capsys.readouterr().out)
    assert all(record["text"].startswith(term) for record, term in zip(found, ["Lithium", "Aspirin"], strict=True))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"one\ntwo\none\n", "line 1 and on line 3"),
        (b"one\n", "holds 1 labels"),
        (b"", "holds 0 labels"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_bad_file_of_labels_is_one_line(  # noqa: PLR0913, PLR0917 -- fixtures
    mini_bundle: Path, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    assert main(["ask", str(mini_bundle), str(documents), "--labels", str(tmp_path / "labels.txt")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["relations", "BUNDLE", "FILE"], "--task"),
        (["relations", "BUNDLE", "nowhere.txt", "--task", "bc5cdr"], "nowhere.txt"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "--lexicon", "FILE"], "--lexicon"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "no/such/folder/out.jsonl"], "no folder"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "--batch-size", "0"], "--batch-size"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "FILE"], "would replace"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "FILE", "--overwrite"], "would replace"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "BUNDLE/a.jsonl"], "would lie in"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "a.csv"], "a.csv has a name in .csv, but results"),
        (["relations", "BUNDLE", "FILE", "--task", "bc5cdr", "-o", "a.json.gz"], "a name in .json, but results"),
        (["ask", "BUNDLE", "FILE", "-o", "a.parquet"], "give it a name in .jsonl, .ndjson"),
        (["ask", "BUNDLE", "FILE", "-o", "a.pubtator"], "a name in .pubtator, but results"),
        (["classify", "BUNDLE", "FILE"], "soft prompt"),
        (["describe", "BUNDLE", "FILE", "--num-beams", "0"], "num_beams"),
        (["ask", "nowhere", "FILE"], "nowhere"),
    ],
)
def test_bad_input_is_one_line(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    names = {"BUNDLE": str(mini_bundle), "FILE": str(documents)}
    before = documents.read_bytes()
    assert main([word.replace("BUNDLE", names["BUNDLE"]).replace("FILE", names["FILE"]) for word in command]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert documents.read_bytes() == before


def test_an_interrupted_run_goes_on_where_it_was_and_does_nothing_twice(mini_bundle: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "documents.txt", TEXTS * 6)
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    assert main(relations(mini_bundle, path, "-o", whole, "--batch-size", "1")) == 0
    command = [sys.executable, "-m", "biogpt_onnx", *relations(mini_bundle, path, "-o", cut, "--batch-size", "1")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    journal = tmp_path / "cut.jsonl.journal.jsonl"
    while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") > 4):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not cut.exists()
    done = journal.read_bytes().count(b"\n") - 1
    assert 0 < done < len(TEXTS) * 6
    first = journal.read_bytes()
    assert main(relations(mini_bundle, path, "-o", cut, "--batch-size", "1")) == 0
    assert cut.read_bytes() == whole.read_bytes()
    kept = [record for _, record in map(json.loads, first.splitlines()[1:])]
    assert kept == [json.loads(line) for line in cut.read_bytes().splitlines()[:done]]
    assert not journal.exists()


def test_another_setting_does_not_go_on_with_what_is_there(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, out = lines(tmp_path / "document.txt", TEXTS[:1]), tmp_path / "out.jsonl"
    assert main(relations(mini_bundle, document, "-o", out)) == 0
    assert main(relations(mini_bundle, document, "-o", out)) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(relations(mini_bundle, document, "-o", out, "--overwrite", "--free")) == 0


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_names_of_standard_output_make_no_file(
    mini_bundle: Path, documents: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(documents.parent)
    assert main(relations(mini_bundle, documents, "-o", name)) == 0
    assert len(records(capsys.readouterr().out)) == len(TEXTS)
    assert [path.name for path in documents.parent.iterdir()] == [documents.name]


def test_compressed_files_are_read_and_written(mini_bundle: Path, documents: Path, tmp_path: Path) -> None:
    packed = tmp_path / "documents.txt.gz"
    packed.write_bytes(gzip.compress(documents.read_bytes()))
    assert main(relations(mini_bundle, documents, "-o", tmp_path / "plain.pubtator")) == 0
    assert main(relations(mini_bundle, packed, "-o", tmp_path / "packed.pubtator.gz")) == 0
    assert gzip.decompress((tmp_path / "packed.pubtator.gz").read_bytes()) == (tmp_path / "plain.pubtator").read_bytes()


def test_results_of_another_reading_of_the_same_file_are_not_continued(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = lines(tmp_path / "table.txt", ["text", *TEXTS])
    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patched:
        patched.setattr(JournaledResults, "finish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(relations(mini_bundle, table, "-o", out)) == 130
    capsys.readouterr()
    assert main(relations(mini_bundle, table, "-o", out, "--format", "csv")) == 2
    assert "of a run with format text (it is csv now)" in capsys.readouterr().err


def test_a_pipe_is_read_once(mini_bundle: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "biogpt_onnx", *relations(mini_bundle, pipe, "-o", tmp_path / "out.jsonl")]
    process = subprocess.Popen(command)
    with pipe.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"id": str(number), "text": text}) + "\n" for number, text in enumerate(TEXTS))
    assert process.wait(timeout=120) == 0
    found = records((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [record["id"] for record in found] == ["0", "1", "2", "3", "4"]


def test_a_run_that_goes_on_remembers_the_rows_without_an_answer(mini_bundle: Path, tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", ["{", *(json.dumps({"text": text}) for text in TEXTS * 6)])
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "biogpt_onnx", *relations(mini_bundle, path, "-o", out, "--batch-size", "1")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    journal = tmp_path / "out.jsonl.journal.jsonl"
    while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") > 4):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert main(relations(mini_bundle, path, "-o", out, "--batch-size", "1")) == 1
    assert len(records(out.read_text(encoding="utf-8"))) == 31


def interrupted_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generate_ids = BioGPT.generate_ids
    begun: list[None] = []

    def generate_some(model: BioGPT, *given: Any, **more: Any) -> Any:
        begun.append(None)
        if len(begun) > batches:
            raise KeyboardInterrupt
        return generate_ids(model, *given, **more)

    monkeypatch.setattr(BioGPT, "generate_ids", generate_some)


def test_an_interrupted_run_says_how_to_go_on(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines(tmp_path / "rows.txt", [f"Lithium caused tremor {number} times." for number in range(6)])
    output = tmp_path / "out.jsonl"
    arguments = relations(mini_bundle, path, "-o", output, "--batch-size", "1")
    with pytest.MonkeyPatch.context() as patch:
        interrupted_after(5, patch)
        assert main(arguments) == 130
    journal = tmp_path / "out.jsonl.journal.jsonl"
    expected = f"note: 4 results are kept in {journal}: the same command goes on behind them\n"
    assert capsys.readouterr().err == expected
    assert main(arguments) == 0
    assert [record["line"] for record in records(output.read_text())] == [1, 2, 3, 4, 5, 6]


def test_an_interrupted_run_without_a_file_says_what_would_help(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines(tmp_path / "rows.txt", [f"Lithium caused tremor {number} times." for number in range(6)])
    for batches, note in ((5, "note: 4 results are written; with -o FILE, an interrupted run"), (0, "")):
        with pytest.MonkeyPatch.context() as patch:
            interrupted_after(batches, patch)
            assert main(relations(mini_bundle, path, "--batch-size", "1")) == 130
        captured = capsys.readouterr()
        assert captured.err.startswith(note)
        assert len(captured.err.splitlines()) == (1 if note else 0)
        assert len(records(captured.out)) == (4 if note else 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_progress_of_a_file_and_of_a_stream(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines(tmp_path / "rows.txt", [f"Lithium {number}." for number in range(6)])
    for name, shows in ((path, "\rembed:  66 %"), ("-", "\rembed: 4\x1b")):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
        monkeypatch.setattr(CpuBackend, "default_batch_size", 1)
        assert main(["embed", str(mini_bundle), str(name), "-o", str(tmp_path / "out.npy"), "--overwrite"]) == 0
        assert shows in terminal.getvalue()
