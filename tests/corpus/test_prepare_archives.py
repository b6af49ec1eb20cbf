"""Archives among the inputs, and checksums beside them."""

import gzip
import hashlib
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, DocumentError, corpus
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.units import read_unit
from makers.archives import save_tar
from makers.corpora import answer_run, documents, json_lines, write_json_lines

COLLECTION = '<?xml version="1.0"?><!DOCTYPE collection SYSTEM "BioC.dtd"><collection>{}</collection>'
BIOC = "<document><id>{}</id><passage><offset>0</offset><text>{}</text></passage></document>"


def bioc(**texts: str) -> str:
    return COLLECTION.format("".join(BIOC.format(name, text) for name, text in texts.items()))


def places(folder: Path) -> list[tuple[int, str | None, int, str | None]]:
    """Input, member, line and id of each document."""
    run = Run.open(folder)
    rows = [row for unit in run.units for row in read_unit(run, unit)]
    ids = [None if row.row.document is None else row.row.document.id for row in rows]
    return [(row.input, row.member, row.row.line, name) for row, name in zip(rows, ids, strict=True)]


def test_documents_of_archives_are_deduplicated_and_have_their_places(tmp_path: Path, mini: BioGPT) -> None:
    first = save_tar(
        tmp_path / "BioCXML.0.tar.gz",
        {
            "out/0.BioC.XML": bioc(a="Lithium.", b="Old."),
            "out/README.md": "no format",
            "out/1.BioC.XML": bioc(c=" ", d="Cisplatin."),
        },
    )
    second = save_tar(tmp_path / "BioCXML.1.tgz", {"2.xml": bioc(b="Newer.")})
    made = corpus.prepare([first, second], tmp_path / "run", "bc5cdr", unit_documents=2)
    assert (made.documents, made.superseded, made.skipped_members, made.problems) == (4, 1, 1, 1)
    assert places(tmp_path / "run") == [
        (0, "out/0.BioC.XML", 1, "a"),
        (0, "out/1.BioC.XML", 1, None),
        (0, "out/1.BioC.XML", 2, "d"),
        (1, "2.xml", 1, "b"),
    ]
    answer_run(tmp_path / "run", mini)
    corpus.merge(tmp_path / "run", tmp_path / "out.jsonl")
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert f'"file": "{first}/out/1.BioC.XML", "line": 1, "id": null, "error": "the text is empty' in text


def test_an_archive_gives_the_units_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = documents(5)
    contents = {f"{number}.jsonl": json_lines([row]) for number, row in enumerate(rows)}
    for name, content in contents.items():
        (tmp_path / "in" / name).write_text(content, encoding="utf-8")
    save_tar(tmp_path / "in.tar", contents)
    found = []
    for source in ("in", "in.tar"):
        corpus.prepare([tmp_path / source], tmp_path / f"run-{source}", "bc5cdr")
        run = Run.open(tmp_path / f"run-{source}")
        found.append([row.row for unit in run.units for row in read_unit(run, unit)])
    assert found[0] == found[1]


def test_a_folder_may_hold_archives(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_tar(tmp_path / "in" / "b.tar.gz", {"x.jsonl": json_lines(documents(2))})
    write_json_lines(tmp_path / "in" / "a.jsonl", documents(3)[2:])
    corpus.prepare([tmp_path / "in"], tmp_path / "run", "bc5cdr")
    assert [name for *_, name in places(tmp_path / "run")] == ["d2", "d0", "d1"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.md": "x"}, "holds no file of a known format"),
        ({}, "holds no file of a known format"),
        (
            {"a.jsonl": json_lines(documents(1)), "b.txt": "Lithium.\n"},
            "a.tar/b.txt is text, and what came before it jsonl",
        ),
        ({"a.xml": bioc(a="Lithium.")[:-9]}, "a.tar/a.xml is not well-formed XML"),
        ({"a.jsonl.gz": gzip.compress(json_lines(documents(9)).encode())[:-9]}, "a.tar/a.jsonl.gz is a truncated gzip"),
    ],
)
def test_archives_that_are_no_input(tmp_path: Path, members: dict[str, bytes | str], message: str) -> None:
    path = save_tar(tmp_path / "a.tar", members)
    with pytest.raises(DocumentError, match=message):
        corpus.prepare([path], tmp_path / "run", "bc5cdr")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", ["MD5({name})= {digest}\n", "{digest}  {name}\n", "{digest}"])
def test_checksums_beside_files_are_compared(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    good, other = (write_json_lines(folder / f"{name}.jsonl", documents(2)) for name in ("good", "other"))
    digest = hashlib.md5(good.read_bytes(), usedforsecurity=False).hexdigest()
    (folder / "good.jsonl.md5").write_text(form.format(name=good.name, digest=digest))
    made = corpus.prepare([folder], tmp_path / "run", "bc5cdr")
    assert (made.compared, made.skipped) == (1, ())
    # A pattern matches the checksums too.
    assert corpus.prepare([f"{folder}/*"], tmp_path / "again", "bc5cdr").inputs == 2
    (folder / "other.jsonl.md5").write_text(form.format(name=other.name, digest=digest[::-1].upper()))
    with pytest.raises(DocumentError, match=r"other.jsonl is damaged, as other.jsonl.md5 has the checksum of another"):
        corpus.prepare([folder], tmp_path / "third", "bc5cdr")


def test_a_checksum_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write_json_lines(tmp_path / "in.jsonl", documents(2))
    (tmp_path / "in.jsonl.md5").write_text("<html>not found</html>")
    with pytest.raises(DocumentError, match=r"in.jsonl.md5 holds 0 MD5 checksums instead of one"):
        corpus.prepare([source], tmp_path / "run", "bc5cdr")
