"""Relations between the marked words of a text."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

TITLE = "Thyroid function under amiodarone"
ABSTRACT = (
    "Five patients who took amiodarone developed hypothyroidism. Thyroid function recovered after amiodarone was "
    "withdrawn."
)
# 𝛽 is one character for Python and two for JavaScript.
LONG = (
    "𝛽-blockers caused bradycardia in two, and fatigue in one. After gentamicin, renal failure was seen, in two with "
    "hearing loss.\nNone of those who had been given gentamicin before had hearing loss or renal failure. In all "
    "others doxorubicin was stopped for cardiomyopathy, and for fatigue."
)
PAIRS = (
    ("𝛽-blockers", "bradycardia"),
    ("𝛽-blockers", "fatigue"),
    ("gentamicin", "renal failure"),
    ("gentamicin", "hearing loss"),
    ("renal failure", "hearing loss"),
    ("doxorubicin", "cardiomyopathy"),
    ("doxorubicin", "bradycardia"),
)

# For each link: where its line begins and ends, where its arrow's tip is, and the colors of line and tip.
LINKS = """links => links.map(link => {
  const [line, tip] = [link.querySelector('path'), link.querySelector('.tip')];
  const frame = link.ownerSVGElement.getBoundingClientRect();
  const at = distance => {
    const {x, y} = line.getPointAtLength(distance);
    return {x: x + frame.x, y: y + frame.y};
  };
  const end = tip.getPointAtLength(0);
  const [, x, y] = tip.getAttribute('d').match(/L([\\d.]+),([\\d.]+) Z/);
  return {start: at(0), end: at(line.getTotalLength()), tip: {x: +x + frame.x, y: +y + frame.y},
          stroke: getComputedStyle(line).stroke, width: getComputedStyle(line).strokeWidth};
})"""

# The rectangles of the first occurrence of a word in the drawing's text.
WORD = """(text, word) => {
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const start = text.textContent.indexOf(word);
  const range = document.createRange();
  let passed = 0;
  for (const node of nodes) {
    const inside = offset => offset >= passed && offset <= passed + node.length;
    if (inside(start) && start < passed + node.length) range.setStart(node, start - passed);
    if (inside(start + word.length)) { range.setEnd(node, start + word.length - passed); break; }
    passed += node.length;
  }
  return Array.from(range.getClientRects(), each => ({x: each.x, y: each.y, width: each.width, height: each.height}));
}"""


def find(page: Any, text: str, title: str = "") -> Any:
    """Fills in the form for relations and sends it; returns the panel."""
    page.get_by_role("tab", name="Relations").click()
    panel = page.locator("#relations")
    panel.get_by_label("Title").fill(title)
    panel.get_by_label("Abstract").fill(text)
    panel.get_by_role("button", name="Find relations").click()
    return panel


def record(text: str, pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What a server answers that has found these relations, at the first occurrence of each word."""

    def span(word: str) -> list[int] | None:
        start = text.find(word)
        return None if start < 0 else [start, start + len(word)]

    relations = [
        {"head": head, "relation": "CID", "tail": tail, "head_span": span(head), "tail_span": span(tail), "score": -0.5}
        for head, tail in pairs
    ]
    return {"relations": relations, "read": len(text), "complete": True}


def answering(visited: Visit, found: dict[str, Any]) -> None:
    visited.page.route("**/v1/tasks/relations", lambda route: route.fulfill(json={"records": [found]}))


def is_at(point: dict[str, float], rectangles: list[dict[str, float]]) -> bool:
    """True if a point lies on the upper or lower edge of a rectangle, but for three pixels."""
    return any(
        each["x"] - 3 <= point["x"] <= each["x"] + each["width"] + 3
        and min(abs(point["y"] - each["y"]), abs(point["y"] - each["y"] - each["height"])) <= 3
        for each in rectangles
    )


def check_links(panel: Any, pairs: tuple[tuple[str, str], ...]) -> None:
    """Checks that each link begins at its first word and that its arrow ends at its second word."""
    expect(panel.locator(".link")).to_have_count(len(pairs))
    links = panel.locator(".link").evaluate_all(LINKS)
    words = panel.locator(".drawing .text")
    for (head, tail), link in zip(pairs, links, strict=True):
        assert is_at(link["start"], words.evaluate(WORD, head)), (head, tail)
        assert is_at(link["tip"], words.evaluate(WORD, tail)), (head, tail)
        assert abs(link["end"]["x"] - link["tip"]["x"]) < 1
        assert abs(link["end"]["y"] - link["tip"]["y"]) < 8


def test_relations_are_drawn_between_the_words_that_the_model_has_found(
    server: Serving, visit: Callable[..., Visit]
) -> None:
    visited = visit(server.url)
    with visited.page.expect_response("**/v1/tasks/relations") as response:
        panel = find(visited.page, f"{ABSTRACT}\n\n", TITLE)
    found = response.value.json()["records"][0]["relations"]
    assert found, "the embedded checkpoint finds a relation here"
    full = f"{TITLE} {ABSTRACT}"
    pairs = tuple((full[slice(*each["head_span"])], full[slice(*each["tail_span"])]) for each in found)
    expect(panel.locator(".drawing .text")).to_have_text(full)
    check_links(panel, pairs)
    marked = {mark.inner_text() for mark in panel.locator(".drawing mark").all()}
    assert marked == {word for pair in pairs for word in pair}
    count = "1 relation" if len(found) == 1 else f"{len(found)} relations"
    expect(panel.get_by_role("status")).to_have_text(f"{count} found.")


@pytest.mark.parametrize("width", [1280, 700, 320])
def test_links_end_at_their_words_on_any_screen(server: Serving, visit: Callable[..., Visit], width: int) -> None:
    visited = visit(server.url, viewport={"width": width, "height": 800})
    answering(visited, record(LONG, PAIRS))
    panel = find(visited.page, LONG)
    check_links(panel, PAIRS)
    expect(panel.get_by_role("status")).to_have_text(f"{len(PAIRS)} relations found.")


def test_links_follow_their_words_when_the_window_changes(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url, viewport={"width": 1280, "height": 800})
    answering(visited, record(LONG, PAIRS))
    panel = find(visited.page, LONG)
    expect(panel.locator(".link")).to_have_count(len(PAIRS))
    before = panel.locator(".link path").first.get_attribute("d")
    visited.page.set_viewport_size({"width": 400, "height": 800})
    expect(panel.locator(".link path").last).not_to_have_attribute("d", before)
    visited.page.wait_for_timeout(100)
    check_links(panel, PAIRS)


def test_links_do_not_run_over_each_other(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url, viewport={"width": 1280, "height": 800})
    answering(visited, record(LONG, PAIRS))
    labels = find(visited.page, LONG).locator(".link text")
    expect(labels).to_have_count(len(PAIRS))
    boxes = [label.bounding_box() for label in labels.all()]
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            apart = abs(one["x"] - other["x"]) > 20 or abs(one["y"] - other["y"]) > 12
            assert apart, (one, other)


def test_links_at_a_side_of_the_text_do_not_lie_on_each_other(server: Serving, visit: Callable[..., Visit]) -> None:
    text = " ".join(f"substance-{number:02} was given and was well tolerated by everybody." for number in range(24))
    pairs = tuple((f"substance-{number:02}", f"substance-{23 - number:02}") for number in range(12))
    visited = visit(server.url, viewport={"width": 360, "height": 800})
    answering(visited, record(text, pairs))
    links = find(visited.page, text).locator(".link path:first-child")
    expect(links).to_have_count(len(pairs))
    sides = [course for link in links.all() if (course := at_side(link.get_attribute("d")))]
    assert max(sum((x < 180) is is_left for x, *_ in sides) for is_left in (True, False)) > 4
    for index, (x, top, bottom) in enumerate(sides):
        for other_x, other_top, other_bottom in sides[:index]:
            assert abs(x - other_x) >= 1 or top > other_bottom or other_top > bottom


def at_side(path: str) -> tuple[float, float, float] | None:
    """Where a link runs along a side of the text, from top to bottom; None for one that does not."""
    corners = [(float(x), float(y)) for x, y in re.findall(r"Q([\d.]+),([\d.]+) ", path)]
    if len(corners) != 4:
        return None
    _, (x, one), (_, other), _ = corners
    return x, min(one, other), max(one, other)


def test_the_list_says_what_is_drawn_and_lets_a_relation_stand_out(
    server: Serving, visit: Callable[..., Visit]
) -> None:
    visited = visit(server.url)
    answering(visited, record(LONG, (*PAIRS[:2], ("nothing", "fatigue"))))
    panel = find(visited.page, LONG)
    items = panel.get_by_role("list", name="Relations").get_by_role("button")
    expect(items).to_have_count(3)
    expect(items.nth(0)).to_have_accessible_name(re.compile(r"^𝛽-blockers CID bradycardia *p 0\.61$"))
    expect(items.nth(2)).to_contain_text("(not in the text)")
    expect(panel.locator(".link")).to_have_count(2)
    plain = panel.locator(".link").evaluate_all(LINKS)
    items.nth(1).click()
    expect(items.nth(1)).to_have_attribute("aria-pressed", "true")
    lit = panel.locator(".link").evaluate_all(LINKS)
    assert lit[0]["stroke"] == plain[0]["stroke"]
    assert lit[1]["stroke"] != plain[1]["stroke"]
    items.nth(1).click()
    expect(panel.locator(".link.lit")).to_have_count(0)


def test_words_have_the_colors_that_notebooks_show(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url)
    answering(visited, record(LONG, PAIRS))
    panel = find(visited.page, LONG)
    expect(panel.locator(".link")).to_have_count(len(PAIRS))
    colors = {
        mark.inner_text(): mark.evaluate("mark => getComputedStyle(mark).backgroundColor")
        for mark in panel.locator(".drawing mark").all()
    }
    assert colors["gentamicin"] == "rgb(191, 233, 245)"
    assert colors["hearing loss"] == "rgb(243, 201, 234)"
    assert colors["renal failure"] == "rgb(207, 211, 250)"


def test_a_long_text_says_how_far_it_was_read(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url)
    answering(visited, record(LONG, ()) | {"read": 40, "complete": False})
    panel = find(visited.page, LONG)
    expect(panel.get_by_role("status")).to_have_text(
        f"No relations found. The text is long: the model read the first 40 of its {len(LONG)} characters. "
        "There may be more."
    )


def test_a_document_that_cannot_be_answered_says_why(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url)
    answering(visited, {"id": None, "error": "the text is empty"})
    panel = find(visited.page, LONG)
    expect(panel.get_by_role("alert")).to_have_text("The model can't answer this: the text is empty")


def test_the_form_asks_for_one_document_of_the_chosen_task(server: Serving, visit: Callable[..., Visit]) -> None:
    visited = visit(server.url)
    with visited.page.expect_request("**/v1/tasks/relations") as request:
        find(visited.page, ABSTRACT, TITLE)
    assert json.loads(request.value.post_data) == {
        "task": "bc5cdr",
        "documents": [{"title": TITLE, "text": ABSTRACT}],
        "too_long": "windows",
        "normalize_punctuation": True,
    }
