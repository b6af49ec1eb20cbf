"""Checks a built documentation site: `python tests/check_site.py build/site`.

Reports links and anchors that lead nowhere, everything that a browser would load from elsewhere, and docstring sections
that were not rendered. Needs the standard library alone, so that it runs in the environment that built the site.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

POLICY = "Content-Security-Policy"
NOT_FOUND = "404.html"

_LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}
_LOADING_ATTRIBUTES = ("src", "srcset", "poster", "data", "background")
_REFERENCES_IN_STYLES = re.compile(r"@import\s+[\"']?([^\"';]+)|url\(\s*[\"']?([^\"')]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://([\w.-]*)")
_UNRENDERED_SECTION = re.compile(r"<p>\s*(Args|Returns|Raises|Attributes|Yields):")
_RENDERED_SECTIONS = ("Parameters:", "Returns:", "Raises:", "Attributes:")

_HOSTS_IN_SCRIPTS = {
    "www.w3.org": "the names of SVG, XHTML and MathML, which nobody loads",
    "unpkg.com": "diagrams, a lightbox and an editor, and ResizeObserver for browsers before 2020",
    "cdn.jsdelivr.net": "Python in the page",
    "api.github.com": "numbers about a repository that the site does not name",
    "": "an address put together from a setting that the site does not have",
}
"""Hosts that the theme's scripts name for features that no page uses. The policy of every page forbids them too."""

_UNUSED_FEATURES = ('class="mermaid"', 'class="glightbox', "pyodide", 'data-md-component="source"')


@dataclass
class Page(HTMLParser):
    """What a page links to, loads and offers as a target.

    Attributes:
        links: addresses that a reader can follow.
        loads: addresses that a browser loads by itself.
        targets: the ids and names in the page.
        policy: the content of its policy; None where there is none.
        loads_before_policy: whether something is loaded before the policy is known.
    """

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)
    policy: str | None = None
    loads_before_policy: bool = False
    _in_style: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Collects what one tag says."""
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.targets |= {values[name] for name in ("id", "name") if name in values}
        if tag == "meta" and values.get("http-equiv") == POLICY:
            self.policy = values.get("content", "")
        loaded = list(_loaded_by(tag, values))
        self.loads_before_policy |= bool(loaded) and self.policy is None
        self.loads += loaded
        if "href" in values and tag in {"a", "area", "link"}:
            self.links.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        """Notes that a style sheet within the page ends."""
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        """Collects what a style sheet within the page loads."""
        if self._in_style:
            self.loads += style_references(data)


def problems(site: Path) -> Iterator[str]:
    """Yields everything that is wrong with a site, a line each."""
    files = sorted(site.rglob("*.html"))
    if not files:
        yield f"{site} holds no page: build it first"
        return
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    pages = {file: read_page(text) for file, text in texts.items()}
    for file, page in pages.items():
        for problem in (*_page_problems(site, file, pages), *_policy_problems(page), *_feature_problems(texts[file])):
            yield f"{file.relative_to(site)}: {problem}"
    for file in sorted(site.rglob("*.css")):
        for address in style_references(file.read_text(encoding="utf-8")):
            if is_elsewhere(address):
                yield f"{file.relative_to(site)}: loads {address}"
    for file in sorted(site.rglob("*.js")):
        for host in sorted(set(_ADDRESS.findall(file.read_text(encoding="utf-8"))) - _HOSTS_IN_SCRIPTS.keys()):
            yield f"{file.relative_to(site)}: names the host {host}: say in check_site.py what it is for"
    yield from _reference_problems({file: text for file, text in texts.items() if file.parent == site / "api"})


def read_page(text: str) -> Page:
    """Reads a page of HTML."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def style_references(text: str) -> list[str]:
    """Lists the addresses that a style sheet loads."""
    return [imported or address for imported, address in _REFERENCES_IN_STYLES.findall(text)]


def is_elsewhere(address: str) -> bool:
    """Tells whether an address is on another host; data within the page is not."""
    return bool(urlsplit(address.strip()).netloc)


def _loaded_by(tag: str, values: Mapping[str, str]) -> Iterator[str]:
    if tag == "link" and _LOADING_LINKS & set(values.get("rel", "").split()):
        yield values.get("href", "")
    if tag in {"image", "use"}:
        yield from (values[name] for name in ("href", "xlink:href") if name in values)
    for name in _LOADING_ATTRIBUTES:
        if name not in values:
            continue
        parts = values[name].split(",") if name == "srcset" else [values[name]]
        yield from (part.split()[0] for part in parts if part.strip())
    yield from style_references(values.get("style", ""))


def _page_problems(site: Path, file: Path, pages: Mapping[Path, Page]) -> Iterator[str]:
    page = pages[file]
    yield from (f"loads {address}" for address in page.loads if is_elsewhere(address))
    for address in dict.fromkeys([*page.links, *page.loads]):
        if urlsplit(address).scheme or is_elsewhere(address):
            continue
        path, anchor = urldefrag(address)
        if path.startswith("/") and file.name != NOT_FOUND:
            yield f"{address} leads to the root of a host, where the site need not be"
            continue
        # The page for what is not found is shown at any depth, so its links begin at the root.
        start = site if path.startswith("/") else file.parent
        target = (start / unquote(path).lstrip("/")).resolve() if path else file.resolve()
        if not target.is_file():
            yield f"{address} leads to no file"
        elif anchor and target.suffix == ".html" and unquote(anchor) not in pages[target].targets:
            yield f"{address} leads to no anchor"


def _policy_problems(page: Page) -> Iterator[str]:
    if page.policy is None:
        yield f"has no {POLICY}"
        return
    if page.loads_before_policy:
        yield f"loads something before its {POLICY}"
    if not page.policy.startswith("default-src 'self'") or re.search(r"https?:|\*|\w\.\w", page.policy):
        yield f"its {POLICY} lets other hosts in: {page.policy}"


def _feature_problems(text: str) -> Iterator[str]:
    yield from (f"uses a feature that loads from elsewhere: {mark}" for mark in _UNUSED_FEATURES if mark in text)


def _reference_problems(texts: Mapping[Path, str]) -> Iterator[str]:
    if not texts:
        yield "api/ holds no page"
        return
    for file, text in texts.items():
        for name in _UNRENDERED_SECTION.findall(text):
            yield f"api/{file.name}: a docstring's section {name} is not rendered"
    together = "".join(texts.values())
    yield from (f"api/: no section {name} anywhere" for name in _RENDERED_SECTIONS if name not in together)


def main(arguments: Sequence[str]) -> int:
    """Prints what is wrong with the site that the only argument names; 1 if anything is."""
    (folder,) = arguments
    found = list(problems(Path(folder).resolve()))
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
