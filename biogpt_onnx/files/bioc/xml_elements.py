"""Elements of BioC XML as the JSON data of BioC JSON."""

import re
from typing import Any
from xml.etree.ElementTree import Element

_WHOLE_NUMBER = re.compile(r"\s*[-+]?[0-9]{1,18}\s*")


def document_of(document: Element) -> dict[str, Any]:
    """Returns a document's element as JSON data, without what is never used, such as relations."""
    return {
        "id": _text(document, "id"),
        "annotations": _annotations(document),
        "passages": [
            _part(passage)
            | {"sentences": [_part(sentence) for sentence in passage.findall("sentence")], "infons": _infons(passage)}
            for passage in document.findall("passage")
        ],
    }


def _part(part: Element) -> dict[str, Any]:
    """Returns a passage's or a sentence's offset, text and annotations."""
    offset = part.find("offset")
    placed = {} if offset is None else {"offset": _number("".join(offset.itertext()))}
    return placed | {"text": _text(part, "text"), "annotations": _annotations(part)}


def _annotations(part: Element) -> list[dict[str, Any]]:
    return [
        {
            "infons": _infons(annotation),
            "text": _text(annotation, "text"),
            "locations": [
                {name: _number(value) for name, value in location.attrib.items()}
                for location in annotation.findall("location")
            ],
        }
        for annotation in part.findall("annotation")
    ]


def _infons(part: Element) -> dict[str, str]:
    return {infon.get("key", ""): "".join(infon.itertext()) for infon in part.findall("infon")}


def _text(part: Element, tag: str) -> str:
    """Returns the text of a part, with that of elements in it; of several texts, with a space between two."""
    return " ".join("".join(text.itertext()) for text in part.findall(tag))


def _number(text: str) -> int | str:
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else text
