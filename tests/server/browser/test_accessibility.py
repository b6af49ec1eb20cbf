"""The page by keyboard, by screen reader, on a phone, and in all colors."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

TABS = ("Write", "Relations", "Questions", "Terms")
CONTROLS = {"button", "textbox", "spinbutton", "combobox", "tab", "tabpanel", "DisclosureTriangle", "group", "meter"}
PHONE = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}

# Texts that are seen, with their colors, the ground that they stand on, and their size.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.closest('[aria-disabled=true], :disabled, .unseen, noscript, option')) continue;
    let ground = element;
    const clear = each => getComputedStyle(each).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (ground.parentElement && clear(ground)) ground = ground.parentElement;
    const text = element instanceof SVGElement ? style.fill : style.color;
    found.push({words: walker.currentNode.data, text, ground: getComputedStyle(ground).backgroundColor});
  }
  return found;
}"""

# Borders of fields and buttons, lines and bars, with the ground beside them.
EDGES = """() => {
  const page = getComputedStyle(document.body).backgroundColor;
  const panel = document.querySelector('.drawing');
  const edges = [];
  for (const field of document.querySelectorAll('input, textarea, select')) {
    const text = getComputedStyle(field).borderTopColor;
    if (field.checkVisibility()) edges.push({words: field.id, text, ground: page});
  }
  for (const line of document.querySelectorAll('.link path')) {
    const style = getComputedStyle(line);
    const text = style.stroke === 'none' ? style.fill : style.stroke;
    edges.push({words: 'a line', text, ground: getComputedStyle(panel).backgroundColor});
  }
  for (const bar of document.querySelectorAll('.best .filled')) {
    edges.push({words: 'a bar', text: getComputedStyle(bar).backgroundColor, ground: page});
  }
  return edges;
}"""


def luminance(color: str) -> float:
    """The relative luminance of a color, as WCAG 2 defines it."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def faint(found: list[dict[str, str]], least: float) -> list[tuple[str, float]]:
    """What stands out too little."""
    return [
        (each["words"], round(ratio, 2)) for each in found if (ratio := contrast(each["text"], each["ground"])) < least
    ]


def fill_all(page: Any) -> Iterator[str]:
    """Does every job with its example, and yields its tab while its results are shown."""
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        panel = page.get_by_role("tabpanel")
        if tab == "Write":
            panel.get_by_text("More settings").click()
            panel.get_by_label("Most tokens").fill("5")
            panel.get_by_label("Beams").fill("2")
        panel.get_by_role("button", name="Example").click()
        panel.locator(".begin").click()
        expect(panel.locator(".result")).to_have_attribute("aria-busy", "false")
        expect(panel.get_by_role("status")).not_to_have_text("")
        yield tab


def test_contrast_is_computed_as_the_guidelines_say() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_lines_and_bars_stand_out(server: Serving, visit: Callable[..., Visit], scheme: str) -> None:
    page = visit(server.url, color_scheme=scheme).page
    page.get_by_text("Key", exact=True).click()
    # Of jobs without results on the way, such as errors.
    page.evaluate("() => document.querySelectorAll('.error').forEach(each => each.textContent = 'Something is wrong.')")
    seen = 0
    for tab in fill_all(page):
        page.mouse.move(0, 0)
        texts = page.evaluate(TEXTS)
        seen += len(texts)
        assert faint(texts, 4.5) == [], tab
        assert faint(page.evaluate(EDGES), 3) == [], tab
    assert seen > 100
    expected = luminance("rgb(255, 255, 255)") if scheme == "light" else 0.01
    assert luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) == pytest.approx(
        expected, abs=0.01
    )


def test_every_control_has_a_name(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    page.get_by_text("Key", exact=True).click()
    session = page.context.new_cdp_session(page)
    for tab in fill_all(page):
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in CONTROLS]
        assert len(controls) > 10
        focusable = [node for node in controls if any(each["name"] == "focusable" for each in node["properties"])]
        # A form field in several parts is a group, which needs no name; those that are reached by Tab do.
        assert [node["role"]["value"] for node in focusable if not node.get("name", {}).get("value")] == [], tab


def test_headings_landmarks_and_language_are_there(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    assert page.locator("html").get_attribute("lang") == "en"
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("complementary", name="Model")).to_have_count(1)
    levels = page.evaluate("() => Array.from(document.querySelectorAll('h1,h2,h3'), each => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = page.evaluate("() => Array.from(document.querySelectorAll('[id]'), each => each.id)")
    assert len(ids) == len(set(ids))
    named = page.evaluate(
        "() => Array.from(document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby]'), each =>"
        " ['aria-controls', 'aria-labelledby', 'aria-describedby'].flatMap("
        "name => (each.getAttribute(name) ?? '').split(' '))).flat().filter(Boolean)"
    )
    assert set(named) <= set(ids)


def test_all_is_done_by_keyboard_alone(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    press = page.keyboard.press

    def focused() -> Any:
        return page.locator(":focus")

    def tab_to(selector: str) -> None:
        for _ in range(30):
            press("Tab")
            if page.locator(f"{selector}:focus").count():
                assert focused().evaluate("each => getComputedStyle(each).outlineStyle") != "none"
                return
        pytest.fail(f"Tab does not lead to {selector}")

    tab_to("#completions-tab")
    tab_to("#prompt")
    page.keyboard.type("Aspirin inhibits")
    tab_to("#max-tokens")
    page.keyboard.type("5")
    press("Control+Enter")
    expect(page.locator("#completions .status")).to_contain_text("Done")
    tab_to("#completions .begin")
    press("Space")
    expect(page.locator("#completions .begin")).to_be_focused()
    expect(page.locator("#completions .status")).to_contain_text("Done")

    page.locator("#completions-tab").focus()
    press("ArrowRight")
    expect(page.locator("#relations-tab")).to_be_focused()
    expect(page.locator("#relations")).to_be_visible()
    expect(page.locator("#completions")).to_be_hidden()
    press("ArrowLeft")
    press("ArrowLeft")
    expect(page.locator("#descriptions-tab")).to_be_focused()
    press("Home")
    expect(page.locator("#completions-tab")).to_be_focused()
    press("End")
    expect(page.locator("#descriptions-tab")).to_have_attribute("aria-selected", "true")
    press("Home")
    press("ArrowRight")
    tab_to("#relations .example")
    press("Enter")
    press("Shift+Tab")
    press("Shift+Tab")
    press("Enter")
    expect(page.locator("#relations .found button").first).to_be_visible()
    tab_to("#relations .found button")
    press("Enter")
    expect(page.locator("#relations .link.lit")).to_have_count(1)


def test_escape_stops_and_the_focus_stays(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    page.get_by_label("Prompt").fill("The patient was treated with")
    page.get_by_label("Most tokens").fill("900")
    page.get_by_label("Prompt").press("Control+Enter")
    expect(page.locator("#completions .text")).to_contain_text(re.compile(r"with \w+"))
    page.keyboard.press("Escape")
    expect(page.locator("#completions .status")).to_have_text("Stopped.")
    expect(page.get_by_label("Prompt")).to_be_focused()


def test_a_screen_reader_hears_the_end_and_not_each_token(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    page.evaluate(
        """() => {
          window.heard = [];
          for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live]')) {
            new MutationObserver(() => window.heard.push(region.textContent)).observe(region, {
              childList: true, characterData: true, subtree: true });
          }
        }"""
    )
    page.locator("#completions .example").click()
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#completions .status")).to_contain_text("Done")
    heard = [said for said in page.evaluate("window.heard") if said]
    assert len(heard) == 2
    assert heard[0] == "At work…"
    assert heard[1].startswith("Done: 64 tokens")
    assert page.locator(".text").evaluate("each => each.closest('[aria-live], [role=status], [role=log]')") is None


def test_nothing_is_wider_than_a_phone(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url, **PHONE).page
    page.get_by_text("Key", exact=True).click()
    for tab in fill_all(page):
        assert page.evaluate("document.documentElement.scrollWidth") == 320, tab
        small = page.evaluate(
            "() => Array.from(document.querySelectorAll('button, input, select, textarea, summary'))"
            ".filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 24).map(each => each.id)"
        )
        assert small == [], tab


def test_long_names_stay_on_the_screen(server: Serving, visit: Callable[..., Visit]) -> None:
    long = "W" * 500

    def rename(page: Any) -> None:
        described = {"id": long, "tasks": [long], "quality": None}
        page.route("**/v1/models", lambda route: route.fulfill(json={"data": [described]}))
        relation = {
            "head": long,
            "relation": long,
            "tail": "W",
            "head_span": [0, 400],
            "tail_span": [400, 500],
            "score": -1,
        }
        found = {"records": [{"relations": [relation], "read": 500}]}
        page.route("**/relations", lambda route: route.fulfill(json=found))

    page = visit(server.url, before=rename, **PHONE).page
    page.get_by_role("tab", name="Relations").click()
    page.get_by_label("Abstract").fill(long)
    page.get_by_role("button", name="Find relations").click()
    expect(page.locator(".link")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("motion", "moving"), [("reduce", 0), ("no-preference", 1)])
def test_nothing_moves_for_those_who_want_it_still(
    server: Serving, visit: Callable[..., Visit], motion: str, moving: int
) -> None:
    page = visit(server.url, reduced_motion=motion).page
    page.evaluate(
        "() => { const result = document.querySelector('.result'); result.setAttribute('aria-busy', 'true');"
        " result.append(Object.assign(document.createElement('p'), {className: 'text'})); }"
    )
    assert page.evaluate("() => document.getAnimations().length") == moving
