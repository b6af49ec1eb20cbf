from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from makers.pages import Visit, running_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Milliseconds after which something that should appear is missed; long, because other tests may run beside.
PATIENCE = 60_000


# Not for the whole session: while it is there, its thread has a running event loop, and other tests start their own.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    with running_chromium(PATIENCE) as found:
        yield found


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Callable[..., Visit]]:
    """Opens pages, waits until they are ready, and holds each to its own origin and its policy at the end."""
    visits: list[tuple[str, Visit]] = []

    def open_page(url: str, *, ready: bool = True, before: "Callable[[Page], None] | None" = None) -> Visit:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        found = Visit(context.new_page())
        visits.append((url.partition("?")[0], found))
        context.on("request", lambda request: found.requests.append(request.url))
        context.on("console", lambda message: found.said.append(message.text))
        context.on("weberror", lambda error: found.said.append(str(error.error)))
        if before is not None:
            before(found.page)
        found.page.goto(url)
        if ready:
            found.page.locator("#begin[aria-disabled=false]").wait_for()
        return found

    yield open_page
    for url, found in visits:
        found.page.context.close()
        assert [asked for asked in found.requests if not asked.startswith((url, f"blob:{url}", "data:"))] == []
        assert [said for said in found.said if not said.startswith("Failed to load resource")] == []
