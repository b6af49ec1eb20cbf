"""The files of the page as they are sent, without a browser."""

import hashlib
import re
from html.parser import HTMLParser

import pytest

from biogpt_onnx.server.page.files import CONTENT_SECURITY_POLICY, PAGE_FILES, PAGE_HEADERS

TEXTS = {path: file.content.decode() for path, file in PAGE_FILES.items()}


class Parts(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_three_files_are_sent_with_their_types() -> None:
    types = {path: file.content_type for path, file in PAGE_FILES.items()}
    assert types == {
        "/": "text/html; charset=utf-8",
        "/page.css": "text/css; charset=utf-8",
        "/page.js": "text/javascript; charset=utf-8",
    }


def test_a_tag_changes_with_the_content_alone() -> None:
    assert len({file.etag for file in PAGE_FILES.values()}) == 3
    for file in PAGE_FILES.values():
        assert file.etag == f'"{hashlib.sha256(file.content).hexdigest()[:32]}"'


def test_the_page_may_do_nothing_but_load_itself_and_ask_its_server() -> None:
    policy = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert policy.pop("default-src") == "'none'"
    for name in ("script-src", "style-src", "connect-src"):
        assert policy.pop(name) == "'self'"
    assert policy.pop("img-src") == "'self' data:"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy) == {"base-uri", "form-action", "frame-ancestors", "trusted-types"}
    assert set(policy.values()) == {"'none'"}
    assert PAGE_HEADERS["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert PAGE_HEADERS["Referrer-Policy"] == "no-referrer"
    assert PAGE_HEADERS["Cache-Control"] == "no-cache"


def test_the_page_names_its_own_files_alone_and_relative_to_itself() -> None:
    tags = Parts(TEXTS["/"]).tags
    named = [attributes[name] for _, attributes in tags for name in ("href", "src") if name in attributes]
    assert [name for name in named if not (name or "").startswith("data:")] == ["page.css", "page.js"]
    assert not re.search(r"https?://|url\(|@import", TEXTS["/page.css"])
    addresses = re.findall(r"https?://[^\"\s]+", TEXTS["/page.js"])
    assert addresses == ["http://www.w3.org/2000/svg"]
    assert re.findall(r"""ask(?:Json)?\(["'`]/""", TEXTS["/page.js"]) == []


def test_no_script_or_style_stands_in_the_page() -> None:
    tags = Parts(TEXTS["/"]).tags
    names = {name for _, attributes in tags for name in attributes}
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    assert [attributes for tag, attributes in tags if tag == "script"] == [{"type": "module", "src": "page.js"}]
    assert "style" not in {tag for tag, _ in tags}


@pytest.mark.parametrize(
    "name",
    ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage",
     "sessionStorage", "indexedDB", "document.cookie", "DOMParser"],
)  # fmt: skip
def test_the_script_makes_no_markup_of_texts_and_stores_nothing(name: str) -> None:
    assert name not in TEXTS["/page.js"]


def test_a_field_for_a_key_is_not_remembered() -> None:
    (key,) = (attributes for tag, attributes in Parts(TEXTS["/"]).tags if attributes.get("id") == "key")
    assert (key["type"], key["autocomplete"]) == ("password", "off")
    assert "name" not in key
