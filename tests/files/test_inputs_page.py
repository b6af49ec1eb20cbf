"""The examples in the documentation of forms are read as it says."""

import re
from pathlib import Path

import pytest

from biogpt_onnx.files.formats import FORMATS
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.tasks.document import Document
from makers.documents import documents, save

PAGE = Path(__file__).parents[2] / "docs" / "inputs.md"
EXAMPLE = re.compile(r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDINGS = {"text": "txt", "tsv": "tsv", "csv": "csv", "json": "json", "jsonl": "jsonl", "xml": "xml"}

QUESTION = Document("Ten adults took it. Eight had tremor.", "11", question="Does lithium cause tremor?")
TWO = [
    Document("Lithium caused tremor in two patients.", "11", "Tremor."),
    Document("Cisplatin caused renal failure.", "12"),
]
HOLDS = {
    "Text": [[Document(one.text) for one in TWO]],
    "JSON Lines": [TWO],
    "JSON": [TWO],
    "Tables": [[Document("Lithium caused tremor, in two patients.", "11", "Tremor."), TWO[1]]],
    "PubMedQA": [
        [QUESTION],
        [QUESTION],
        [
            Document(QUESTION.text, question=QUESTION.question),
            Document("Ten adults took aspirin.", question="Does aspirin help?"),
        ],
    ],
    "HoC": [[Document("Tumour cells evade death ."), Document("We studied ten mice .")]],
    "PubMed": [[Document("METHODS: Ten adults took lithium.", "11", "Tremor.")]],
    "JATS": [
        [Document("We saw tremor.", "PMC77", "Tremor"), Document("Ten adults took lithium.", "PMC77#s1", "Methods")]
    ],
}

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="runs in the checkout only")


def examples() -> dict[str, list[tuple[str, str]]]:
    """The language and the text of each example, by the page's sections."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for heading, language, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8")):
        if heading:
            section = heading
        else:
            found.setdefault(section, []).append((language, text))
    return found


@pytest.mark.parametrize("section", HOLDS)
def test_an_example_holds_what_the_page_says(tmp_path: Path, section: str) -> None:
    found = examples()[section]
    for number, ((language, text), wanted) in enumerate(zip(found, HOLDS[section], strict=True)):
        path = save(tmp_path, f"{number}.{ENDINGS[language]}", text)
        assert documents(list(read_documents(path))) == wanted


def test_every_format_has_an_example_here_or_a_page_of_its_own() -> None:
    text = PAGE.read_text(encoding="utf-8")
    described = {name for name in FORMATS if f"`{name}`" in text}
    assert set(FORMATS) - described == {"pubtator", "bioc", "biocjson"}
    assert set(examples()) == {*HOLDS, "Output"}
