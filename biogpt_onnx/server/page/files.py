"""The files of the page, read into memory once, and the headers that they are sent with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    # Browsers that know these two refuse to turn any text into markup.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

CONTENT_SECURITY_POLICY = "; ".join(f"{name} {sources}" for name, sources in _POLICY.items())
"""The policy that lets the page load its own files, ask its own server, and do nothing else."""

PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Kept, but compared with the server's file each time: a new version is seen at once.
        "Cache-Control": "no-cache",
    }
)
"""The headers of every file of the page, besides its type and its ETag."""


@dataclass(frozen=True)
class PageFile:
    """A file of the page.

    Attributes:
        content: The bytes of the file.
        content_type: The value of the header Content-Type.
        etag: The value of the header ETag, in quotation marks; another one whenever the content is another.
    """

    content: bytes
    content_type: str
    etag: str


def _read(name: str, content_type: str) -> PageFile:
    content = resources.files(__package__).joinpath(name).read_bytes()
    return PageFile(content, f"{content_type}; charset=utf-8", f'"{hashlib.sha256(content).hexdigest()[:32]}"')


PAGE_FILES: Mapping[str, PageFile] = MappingProxyType(
    {
        "/": _read("index.html", "text/html"),
        "/page.css": _read("page.css", "text/css"),
        "/page.js": _read("page.js", "text/javascript"),
    }
)
"""The files of the page by address. They name each other by relative addresses, so that a proxy may add a path."""
