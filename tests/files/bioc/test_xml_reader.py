"""BioC XML in: what is read, what is a bad document, what a hostile file cannot do."""

import io
import socket
from pathlib import Path

import pytest

from biogpt_onnx.files import rows
from biogpt_onnx.files.bioc.xml_reader import looks_like_bioc_xml
from biogpt_onnx.files.reading import read_documents
from biogpt_onnx.files.rows import Passage
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.document import Document, NamedEntity
from makers.documents import documents, problems, read, save

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
DOCTYPE = '<!DOCTYPE collection SYSTEM "BioC.dtd">\n'


def passage(offset: object, text: str, kind: str | None = None) -> str:
    infon = "" if kind is None else f'<infon key="type">{kind}</infon>'
    return f"<passage>{infon}<offset>{offset}</offset><text>{text}</text></passage>"


def document(name: str, *passages: str) -> str:
    return f"<document><id>{name}</id>{''.join(passages)}</document>"


def collection(*parts: str, head: str = HEAD) -> str:
    return f"{head}<collection><source>S</source><date/><key>k</key>{''.join(parts)}</collection>"


def test_title_and_abstract_are_title_and_text() -> None:
    data = collection(document("7", passage(0, "T &lt; U", "title"), passage(6, "X &amp; Y.", "abstract")))
    (found,) = read(data, "bioc")
    assert found.document == Document("X & Y.", "7", "T < U")
    assert found.passages == (Passage("title", 0, 0, 5), Passage("abstract", 6, 6, 12))


def test_parts_of_an_abstract_are_one_text_with_their_own_offsets() -> None:
    data = collection(
        document("7", passage(0, "T", "title"), passage(10, "Aim.", "abstract"), passage(30, "End.", "abstract"))
    )
    (found,) = read(data, "bioc")
    assert found.document == Document("Aim. End.", "7", "T")
    assert found.passages[1:] == (Passage("abstract", 10, 2, 6), Passage("abstract", 30, 7, 11))


def test_other_passages_are_one_text() -> None:
    data = collection(document("7", passage(0, "One", "front"), passage(9, "", "figure"), passage(9, "Two")))
    (found,) = read(data, "bioc")
    assert found.document == Document("One Two", "7")
    assert found.passages == (Passage("front", 0, 0, 3), Passage("", 9, 4, 7))


@pytest.mark.parametrize("kind", ["title", "abstract"])
def test_a_document_of_one_part_has_it_as_its_text(kind: str) -> None:
    assert documents(read(collection(document("7", passage(0, "X", kind))), "bioc")) == [Document("X", "7")]


def test_sentences_stand_at_their_offsets() -> None:
    sentences = "<sentence><offset>5</offset><text>One.</text></sentence>"
    sentences += "<sentence><offset>11</offset><text>Two.</text></sentence>"
    data = collection(document("7", f"<passage><offset>5</offset>{sentences}</passage>"))
    assert documents(read(data, "bioc")) == [Document("One.  Two.", "7")]


def test_entities_are_read_and_relations_left_aside() -> None:
    annotation = '<annotation id="T1"><infon key="type">Chemical</infon><location offset="0" length="1"/>'
    annotation += "<text>X</text></annotation>"
    relation = '<relation id="R1"><infon key="type">CID</infon><node refid="T1" role="head"/></relation>'
    data = collection(
        f"<document><id>7</id><passage><offset>0</offset><text>X</text>{annotation}</passage>{relation}</document>"
    )
    named = (NamedEntity("X", "Chemical", ((0, 1),)),)
    assert documents(read(data, "bioc")) == [Document("X", "7", entities=named)]


def test_a_text_with_elements_in_it_is_read_whole() -> None:
    text = "Ca<sup>2+</sup> channel <i>and <b>K</b></i>+"
    annotation = f'<annotation><location offset="0" length="16"/><text>{text}</text></annotation>'
    data = collection(
        f"<document><id>7</id><passage><offset>0</offset><text>{text}</text>{annotation}</passage></document>"
    )
    (found,) = documents(read(data, "bioc"))
    assert found.text == "Ca2+ channel and K+"
    assert found.entities == (NamedEntity(found.text, "", ((0, 16),)),)


def test_several_texts_of_a_passage_are_read_with_a_space_between() -> None:
    data = collection(
        "<document><id>7</id><passage><offset>0</offset><text>One.</text><text>Two.</text></passage></document>"
    )
    assert documents(read(data, "bioc")) == [Document("One. Two.", "7")]


def test_a_mention_in_parts_is_the_same_entity_as_in_pubtator() -> None:
    text = "Cisplatin caused renal and hepatic failure."

    def annotation(name: str, concept: str, *places: tuple[int, int]) -> str:
        locations = "".join(f'<location offset="{start}" length="{length}"/>' for start, length in places)
        infons = f'<infon key="type">Disease</infon><infon key="MESH">{concept}</infon>'
        return f"<annotation>{infons}{locations}<text>{name}</text></annotation>"

    annotations = annotation("renal and hepatic failure", "D1|D2", (26, 25))
    annotations += annotation("renal failure", "D1", (26, 5), (44, 7)) + annotation("hepatic failure", "D2", (36, 15))
    passages = "<passage><infon key='type'>title</infon><offset>0</offset><text>Toxic.</text></passage>"
    passages += (
        f"<passage><infon key='type'>abstract</infon><offset>9</offset><text>{text}</text>{annotations}</passage>"
    )
    line = "7\t24\t49\trenal and hepatic failure\tDisease\tD1|D2\trenal failure|hepatic failure\n"
    in_pubtator = documents(read(f"7|t|Toxic.\n7|a|{text}\n{line}", "pubtator"))
    assert documents(read(collection(f"<document><id>7</id>{passages}</document>"), "bioc")) == in_pubtator
    assert len(in_pubtator[0].entities or ()) == 3


def test_comments_sections_and_carriage_returns_change_no_offset() -> None:
    data = collection(document("7", passage(0, "a<!-- b -->c<![CDATA[<&]]>d&#13;&#10;e")))
    assert documents(read(data, "bioc")) == [Document("ac<&d\r\ne", "7")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_file_says_its_encoding(encoding: str) -> None:
    name = encoding.removesuffix("-sig")
    data = collection(document("7", passage(0, "café")), head=f'<?xml version="1.0" encoding="{name}"?>')
    assert documents(read(data.encode(encoding), "bioc")) == [Document("café", "7")]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (document("2"), "empty"),
        (document("2", passage(0, " ")), "empty"),
        (document("2", passage("x", "X")), "has a value of type str as offset"),
        (document("2", "<passage><text>X</text></passage>"), "has no offset"),
        (
            document(
                "2",
                "<passage><offset>0</offset><text>X</text><annotation><location offset='-1' length='3'/>"
                "<text>X</text></annotation></passage>",
            ),
            "has the offset -1 and the length 3",
        ),
        (
            document(
                "2",
                "<passage><offset>0</offset><text>X</text><annotation><location offset='0'/>"
                "<text>X</text></annotation></passage>",
            ),
            "no length",
        ),
        (document("2", "<a>" * 200 + "</a>" * 200), "nested 101 deep"),
        (
            document(
                "2",
                "<passage><offset>9</offset><sentence><offset>3</offset><text>X</text></sentence></passage>",
            ),
            "does not follow",
        ),
        (
            document(
                "2",
                "<passage><offset>0</offset><sentence><offset>99999999999</offset><text>X</text></sentence></passage>",
            ),
            "does not follow",
        ),
    ],
)
def test_a_bad_document_is_counted_and_the_rest_goes_on(bad: str, says: str) -> None:
    items = read(collection(document("1", passage(0, "A")), bad, document("3", passage(0, "C"))), "bioc")
    assert [one.line for one in items] == [1, 2, 3]
    assert list(problems(items)) == [2]
    assert says in problems(items)[2]
    assert "\n" not in problems(items)[2]


def test_a_document_that_is_too_long_is_not_kept_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_BYTES", 1000)
    data = collection(document("1", passage(0, "x" * 5000)), document("2", passage(0, "C")))
    items = read(data, "bioc")
    assert "1,000 characters" in problems(items)[1]
    assert items[1].document == Document("C", "2")


def test_what_is_never_used_may_be_missing_or_malformed() -> None:
    bare = "<document><passage><infon>x</infon><offset>0</offset><text>X</text></passage><relation/></document>"
    assert documents(read(f"<collection>{bare}</collection>", "bioc")) == [Document("X")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        bytes(range(256)),
        b"<collection><document></collection>",
        collection(document("1", passage(0, "X")))[:-5].encode(),
        collection(document("1", passage(0, "&unknown;"))).encode(),
        b'<?xml version="1.0" encoding="utf-7"?><collection/>',
        b'<?xml version="1.0" encoding="nonsense"?><collection/>',
        b"<articles><document/></articles>",
        b"<collection/><collection/>",
    ],
)
def test_a_file_that_is_no_bioc_is_refused_by_name_before_anything_is_done(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"a\.xml"):
        read_documents(save(tmp_path, "a.xml", data))


def test_xml_that_breaks_off_is_refused_even_where_it_begins_well(tmp_path: Path) -> None:
    many = collection(*(document(str(number), passage(0, "words " * 99)) for number in range(999)))
    with pytest.raises(DocumentError, match="not well-formed"):
        read_documents(save(tmp_path, "a.xml", many[:-20]))
    items = read_documents(io.BytesIO(many[:-20].encode()), "bioc")
    with pytest.raises(DocumentError, match="not well-formed"):
        list(items)


def test_a_doctype_is_read_over_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection is made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    inside = document("7", passage(0, "X"))
    for doctype in (DOCTYPE, '<!DOCTYPE collection SYSTEM "http://127.0.0.1:9/BioC.dtd">'):
        path = save(tmp_path, "a.xml", collection(inside, head=HEAD + doctype))
        assert documents(list(read_documents(path))) == [Document("X", "7")]


def test_an_entity_that_the_file_does_not_know_is_one_bad_document() -> None:
    data = collection(document("1", passage(0, "a&alpha;b")), document("2", passage(0, "C")), head=HEAD + DOCTYPE)
    items = read(data, "bioc")
    assert "&alpha;" in problems(items)[1]
    assert items[1].document == Document("C", "2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "{secret}">',
        '<!ENTITY c PUBLIC "x" "{secret}">',
        '<!ENTITY % p SYSTEM "{secret}"> %p; <!ENTITY c "x">',
    ],
)
def test_entities_are_refused_whether_they_explode_or_read_other_files(
    tmp_path: Path, declarations: str, encoding: str
) -> None:
    secret = save(tmp_path, "secret", "do not read").as_uri()
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    head += f"<!DOCTYPE collection [{declarations.replace('{secret}', secret)}]>"
    path = save(tmp_path, "a.xml", collection(document("1", passage(0, "&c;")), head=head).encode(encoding))
    with pytest.raises(DocumentError, match=r"a\.xml declares the entity"):
        read_documents(path)


@pytest.mark.parametrize(
    ("beginning", "looks"),
    [
        (HEAD + DOCTYPE + "<!-- a > b --> <collection>", True),
        ("\ufeff" + HEAD + "<!DOCTYPE collection [ <!ELEMENT a (b)> ] >\n<collection/>", True),
        (HEAD + "<article><collection>", False),
        ("<collections>", False),
        ("Text about a <collection>", False),
        ("<!-- -->" * 1000, False),
        (" " * 8000, False),
        ("<!-- " * 1600, False),
    ],
)
def test_a_file_is_known_by_its_root(beginning: str, looks: bool) -> None:  # noqa: FBT001
    assert looks_like_bioc_xml(beginning.encode()) is looks


def test_only_a_documents_own_elements_are_documents() -> None:
    nested = "<note><document><id>0</id></document></note>"
    assert documents(read(collection(nested, document("7", passage(0, "X"))), "bioc")) == [Document("X", "7")]
