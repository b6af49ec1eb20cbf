"""The key, and what the page does with it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit, serving

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

KEY = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def locked(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that asks for a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.touch(mode=0o600)
    keys.write_text(f"{KEY}\n", encoding="ascii")
    with serving(mini_bundle, "--api-key-file", str(keys)) as found:
        yield found


def use(page: Any, key: str) -> Any:
    """Types a key and uses it; returns its field."""
    field = page.get_by_label("Key of this server")
    field.fill(key)
    field.press("Enter")
    return field


def test_a_wrong_key_is_asked_for_again_and_the_right_one_opens(locked: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(locked.url, ready=False).page
    field, alert = page.get_by_label("Key of this server"), page.locator("#key-error")
    expect(alert).to_have_text("The server asks for a key.")
    expect(field).to_be_focused()
    use(page, "wrong")
    expect(alert).to_have_text("The server does not know this key.")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    use(page, "schlüssel")
    expect(alert).to_have_text("A key has no spaces and no letters with accents.")
    use(page, f" {KEY} ")
    expect(page.locator("#relations-tab")).to_be_visible()
    expect(alert).to_have_text("")
    expect(page.locator("#load")).to_have_text("Idle")
    page.get_by_label("Prompt").fill("Aspirin inhibits")
    page.get_by_label("Most tokens").fill("4")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#completions .status")).to_contain_text("Done")


def test_a_key_that_no_longer_opens_is_asked_for_when_it_is_needed(
    locked: Serving, visit: Callable[..., Visit]
) -> None:
    page = visit(locked.url, ready=False).page
    use(page, KEY)
    expect(page.locator("#relations-tab")).to_be_visible()
    page.get_by_label("Key of this server").fill("another")
    page.get_by_role("tab", name="Relations").click()
    page.locator("#relations .example").click()
    page.get_by_role("button", name="Find relations").click()
    expect(page.locator("#key-error")).to_have_text("The server does not know this key.")
    expect(page.get_by_label("Key of this server")).to_be_focused()


def test_a_key_is_kept_nowhere(locked: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(locked.url, ready=False)
    page = visited.page
    field = use(page, KEY)
    expect(page.locator("#relations-tab")).to_be_visible()
    assert page.context.cookies() == []
    assert page.context.storage_state()["origins"] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert KEY not in page.content()
    assert KEY not in page.url
    assert [asked for asked in visited.requests if KEY in asked] == []
    assert field.get_attribute("type") == "password"
    assert field.get_attribute("autocomplete") == "off"
    page.goto("about:blank")
    page.go_back()
    expect(page.get_by_label("Key of this server")).to_have_value("")
    expect(page.locator("#key-error")).to_have_text(re.compile("asks for a key"))


def test_the_files_of_the_page_need_no_key(locked: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(locked.url, ready=False).page
    for name in ("", "page.css", "page.js"):
        assert page.request.get(f"{locked.url}{name}").status == 200
