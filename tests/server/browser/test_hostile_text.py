"""Texts that pretend to be markup, wherever they come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit, serving

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

MARKUP = "<img src=x onerror=alert(1)>"
SCRIPT = "</textarea></p><script>alert(1)</script>"


def guarded(visit: Callable[..., Visit], url: str, before: Callable[[Any], None] = lambda _page: None) -> Any:
    """Opens a page on which no dialog may open; returns it."""

    def watch(page: Any) -> None:
        page.on("dialog", lambda dialog: pytest.fail(f"the page has run what it was given: {dialog.message}"))
        before(page)

    return visit(url, before=watch).page


def check_no_markup(page: Any) -> None:
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_the_name_of_a_model_is_text(mini_bundle: Path, visit: Callable[..., Visit]) -> None:
    with serving(mini_bundle, "--model-name", MARKUP) as server:
        page = guarded(visit, server.url)
        expect(page.locator("#model-name")).to_have_text(MARKUP)
        expect(page).to_have_title(f"BioGPT: {MARKUP}")
        page.get_by_label("Prompt").fill("Aspirin inhibits")
        page.get_by_label("Most tokens").fill("4")
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#completions .status")).to_contain_text("Done")
        check_no_markup(page)


def test_prompts_are_text(server: Serving, visit: Callable[..., Visit]) -> None:
    page = guarded(visit, server.url)
    page.get_by_label("Prompt").fill(MARKUP + SCRIPT)
    page.get_by_label("Most tokens").fill("4")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#completions .status")).to_contain_text("Done")
    expect(page.locator("#completions .text")).to_contain_text(MARKUP + SCRIPT)
    check_no_markup(page)


def test_documents_and_what_is_found_in_them_are_text(server: Serving, visit: Callable[..., Visit]) -> None:
    relation = {
        "head": MARKUP,
        "relation": SCRIPT,
        "tail": MARKUP,
        "head_span": [0, len(MARKUP)],
        "tail_span": [len(MARKUP) + 1, len(MARKUP) + 1 + len(SCRIPT)],
        "score": -1,
    }
    found = {"records": [{"relations": [relation], "read": 1000, "complete": True}]}
    page = guarded(visit, server.url, lambda page: page.route("**/relations", lambda route: route.fulfill(json=found)))
    page.get_by_role("tab", name="Relations").click()
    page.get_by_label("Title").fill(MARKUP)
    page.get_by_label("Abstract").fill(SCRIPT)
    page.get_by_role("button", name="Find relations").click()
    expect(page.locator("#relations .drawing .text")).to_have_text(f"{MARKUP} {SCRIPT}")
    expect(page.locator("#relations .link text")).to_have_text(SCRIPT)
    expect(page.get_by_role("list", name="Relations")).to_contain_text(MARKUP)
    check_no_markup(page)


def test_answers_pieces_and_errors_are_text(server: Serving, visit: Callable[..., Visit]) -> None:
    pieces = f'data: {{"choices":[{{"index":0,"text":"{MARKUP}"}}]}}\n\ndata: {{"error":{{"message":"{MARKUP}"}}}}\n\n'
    answer = {"records": [{"label": MARKUP, "probabilities": {MARKUP: 1.0, "__proto__": 0.0}, "read": 1000}]}

    def hostile(page: Any) -> None:
        page.route("**/completions", lambda route: route.fulfill(content_type="text/event-stream", body=pieces))
        page.route("**/answers", lambda route: route.fulfill(json=answer))

    page = guarded(visit, server.url, hostile)
    page.locator("#completions .example").click()
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#completions .error")).to_have_text(f"The server ended the text: {MARKUP}")
    expect(page.locator("#completions .text")).to_contain_text(MARKUP)
    page.get_by_role("tab", name="Questions").click()
    page.locator("#answers .example").click()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#answers .status")).to_have_text(f"The answer is {MARKUP}.")
    expect(page.locator("#answers tbody th").first).to_have_text(MARKUP)
    check_no_markup(page)


def test_the_policy_refuses_markup_that_a_mistake_would_make(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url)
    said = visited.page.evaluate(
        "() => { try { document.body.innerHTML = '<p>x</p>'; return 'done'; } catch (error) { return error.name; } }"
    )
    assert said == "TypeError"
    assert "TrustedHTML" in visited.said[-1]
    visited.said.clear()
