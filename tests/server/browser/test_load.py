"""How busy the server is, asked for now and then, and only while somebody looks."""

from collections.abc import Callable
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def asked_for_load(visited: Visit) -> int:
    return sum(asked.endswith("/load") for asked in visited.requests)


def with_clock(page: Any) -> None:
    page.clock.install()


def test_load_is_shown(server: Serving, visit: Callable[..., Visit]) -> None:
    def busy(page: Any) -> None:
        found = {"server_load": 5, "running": 3, "waiting": 2, "max_rows": 8, "max_waiting": 64}
        page.route("**/load", lambda route: route.fulfill(json=found))

    page = visit(server.url, before=busy).page
    expect(page.locator("#load")).to_have_text("3 of 8 at work, 2 waiting")
    meter = page.get_by_role("meter", name="Texts being written")
    assert meter.evaluate("each => [each.value, each.max]") == [3, 8]


def test_load_is_asked_for_from_time_to_time_but_not_while_the_page_is_hidden(
    server: Serving, visit: Callable[..., Visit]
) -> None:
    visited = visit(server.url, before=with_clock)
    page = visited.page
    expect(page.locator("#load")).to_have_text("Idle")
    first = asked_for_load(visited)
    with page.expect_response("**/load"):
        page.clock.run_for(5_000)
    assert asked_for_load(visited) == first + 1
    page.evaluate(HIDE, arg=True)
    page.clock.run_for(600_000)
    page.wait_for_timeout(100)
    assert asked_for_load(visited) == first + 1
    with page.expect_response("**/load"):
        page.evaluate(HIDE, arg=False)
    assert asked_for_load(visited) == first + 2


def test_a_server_that_fails_is_asked_less_and_less_often(server: Serving, visit: Callable[..., Visit]) -> None:
    def failing(page: Any) -> None:
        with_clock(page)
        page.route("**/load", lambda route: route.fulfill(status=500, body=""))

    visited = visit(server.url, before=failing)
    page = visited.page
    expect(page.locator("#load")).to_contain_text("The server failed.")
    for seconds in (10, 20, 40, 60, 60):
        before = asked_for_load(visited)
        page.clock.run_for(1000 * seconds - 500)
        assert asked_for_load(visited) == before
        with page.expect_response("**/load"):
            page.clock.run_for(1000)
        page.wait_for_timeout(50)
