from pathlib import Path

import pytest

from check_site import problems

GOOD = """<html><head><meta http-equiv="Content-Security-Policy" content="default-src 'self'">
<link rel="stylesheet" href="style.css"></head><body><h1 id="here">x</h1><a href="#here">x</a>
<a href="https://doi.org/1">x</a><img src="picture.svg"> Parameters: Returns: Raises: Attributes: {}</body></html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A whole little site."""
    (tmp_path / "api").mkdir()
    for name in ("index.html", "api/model.html"):
        (tmp_path / name).write_text(GOOD.format(""), encoding="utf-8")
        (tmp_path / name).with_name("style.css").write_text("body { color: red }", encoding="utf-8")
        (tmp_path / name).with_name("picture.svg").write_text("<svg/>", encoding="utf-8")
    return tmp_path


def test_a_whole_site_passes(site: Path) -> None:
    assert list(problems(site)) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('<a href="nowhere.html">x</a>', "leads to no file"),
        ('<a href="#nowhere">x</a>', "leads to no anchor"),
        ('<a href="api/model.html#nowhere">x</a>', "leads to no anchor"),
        ('<a href="/index.html">x</a>', "root of a host"),
        ('<img src="https://example.org/a.png">', "loads https://example.org/a.png"),
        ('<img src="picture.svg" srcset="picture.svg 1x, //example.org/b.png 2x">', "loads //example.org/b.png"),
        ('<script src="https://example.org/a.js"></script>', "loads https://example.org/a.js"),
        ('<link rel="preconnect" href="https://example.org">', "loads https://example.org"),
        ('<iframe src="https://example.org/"></iframe>', "loads https://example.org/"),
        ('<p style="background: url(https://example.org/c.png)">x</p>', "loads https://example.org/c.png"),
        ("<style>@import 'https://example.org/d.css';</style>", "loads https://example.org/d.css"),
        ('<svg><use href="https://example.org/e.svg"/></svg>', "loads https://example.org/e.svg"),
        ('<pre class="mermaid">x</pre>', "loads from elsewhere"),
    ],
)
def test_what_is_wrong_with_a_page_of_the_site_is_found(site: Path, fault: str, said: str) -> None:
    (site / "index.html").write_text(GOOD.format(fault), encoding="utf-8")
    (found,) = problems(site)
    assert found.startswith("index.html: ")
    assert said in found


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("style.css", "@font-face { src: url('https://example.org/f.woff2') }", "loads https://example.org/f.woff2"),
        ("script.js", "load('https://example.org/g.js')", "names the host example.org"),
        ("api/model.html", GOOD.format("<p>Args: x</p>"), "section Args is not rendered"),
        ("api/model.html", GOOD.format("").replace("Raises:", ""), "no section Raises:"),
        ("index.html", GOOD.format("").replace("default-src 'self'", "default-src *"), "lets other hosts in"),
        ("index.html", GOOD.format("").replace("http-equiv", "name"), "has no Content-Security-Policy"),
    ],
)
def test_what_is_wrong_with_the_site_is_found(site: Path, name: str, text: str, said: str) -> None:
    (site / name).write_text(text, encoding="utf-8")
    (found,) = problems(site)
    assert said in found
