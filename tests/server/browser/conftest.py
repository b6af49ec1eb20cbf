from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from makers.pages import Serving, Visit, running_chromium, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Milliseconds after which something that should appear is missed; long, because other tests may run beside.
PATIENCE = 30_000


@pytest.fixture(scope="module")
def server(mini_bundle: Path) -> Iterator[Serving]:
    """A server of the embedded checkpoint that asks for no key. Tests must not end it."""
    with serving(mini_bundle) as found:
        yield found


# Not for the whole session: while it is there, its thread has a running event loop, and other tests start their own.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    with running_chromium(PATIENCE) as found:
        yield found


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    """Opens pages, and holds each to its own origin and its policy when the test is over."""
    visits: list[tuple[str, Visit]] = []

    def open_page(
        url: str, *, ready: bool = True, before: "Callable[[Page], None] | None" = None, **settings: Any
    ) -> Visit:
        context = browser.new_context(**settings)
        context.set_default_timeout(PATIENCE)
        found = Visit(context.new_page())
        visits.append((url, found))
        context.on("request", lambda request: found.requests.append(request.url))
        context.on("console", lambda message: found.said.append(message.text))
        context.on("weberror", lambda error: found.said.append(str(error.error)))
        if before is not None:
            before(found.page)
        found.page.goto(url)
        if ready:
            found.page.locator("#relations-tab").wait_for()
        return found

    yield open_page
    for url, found in visits:
        found.page.context.close()
        assert [asked for asked in found.requests if not asked.startswith((url, "data:"))] == []
        # A browser notes answers that are errors and connections that fail, of which the page tells by itself.
        assert [said for said in found.said if not said.startswith("Failed to load resource")] == []
