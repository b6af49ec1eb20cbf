"""Questions with their bars, classes and terms, and which tasks are offered."""

from collections.abc import Callable
from typing import Any

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect


def ask(page: Any) -> Any:
    """Asks the example's question; returns the panel."""
    page.get_by_role("tab", name="Questions").click()
    panel = page.locator("#answers")
    panel.get_by_role("button", name="Example").click()
    panel.get_by_role("button", name="Ask").click()
    return panel


def test_a_question_gets_three_bars_as_long_as_they_are_probable(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    with page.expect_response("**/v1/tasks/answers") as response:
        panel = ask(page)
    expect(panel.locator("tbody tr")).to_have_count(3)
    (record,) = response.value.json()["records"]
    rows = {row.locator("th").inner_text(): row for row in panel.locator("tbody tr").all()}
    assert list(rows) == list(record["probabilities"]) == ["yes", "no", "maybe"]
    for label, probability in record["probabilities"].items():
        assert rows[label].locator("td").inner_text() == f"{probability:.2f}"
        length = rows[label].locator(".filled").bounding_box()["width"]
        assert abs(length - probability * rows[label].locator(".bar").bounding_box()["width"]) <= 1
    assert panel.locator("tr.best th").inner_text() == record["label"]
    expect(panel.get_by_role("status")).to_have_text(f"The answer is {record['label']}.")


def test_an_answer_that_is_not_likely_enough_is_none(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    record = {"label": None, "probabilities": {"yes": 0.4, "no": None}, "read": 1000}
    page.route("**/v1/tasks/answers", lambda route: route.fulfill(json={"records": [record]}))
    panel = ask(page)
    expect(panel.get_by_role("status")).to_have_text("No answer is likely enough.")
    assert panel.locator("td").all_inner_texts() == ["0.40", "0.00"]


def tasks_of(*kinds: str) -> dict[str, Any]:
    """What a server answers that has a task of each of these kinds."""
    data = [
        {"id": f"task-{i}", "title": f"Task {i}", "address": f"/v1/tasks/{kind}", "fine_tuned_for": i == 1}
        for i, kind in enumerate(kinds)
    ]
    return {"object": "list", "data": data}


def test_only_the_jobs_of_which_the_server_has_tasks_are_offered(server: Serving, visit: Callable[..., Visit]) -> None:
    def few(page: Any) -> None:
        found = tasks_of("relations", "relations", "classifications")
        page.route("**/v1/tasks", lambda route: route.fulfill(json=found))

    page = visit(server.url, before=few).page
    assert page.get_by_role("tab").all_inner_texts() == ["Write", "Relations", "Classes"]
    page.get_by_role("tab", name="Relations").click()
    assert page.locator("#relations-task option").all_inner_texts() == ["Task 0", "Task 1"]
    expect(page.locator("#relations-task")).to_have_value("task-1")
    page.get_by_role("tab", name="Classes").click()
    expect(page.locator("#classifications-task")).to_be_hidden()


def test_classes_and_terms_are_shown_too(server: Serving, visit: Callable[..., Visit]) -> None:
    def all_kinds(page: Any) -> None:
        found = tasks_of("relations", "classifications", "descriptions")
        classes = {"labels": ["growth"], "probabilities": {"growth": 0.75, "none": 0.25}, "read": 1000}
        page.route("**/v1/tasks", lambda route: route.fulfill(json=found))
        page.route("**/classifications", lambda route: route.fulfill(json={"records": [classes]}))
        text = {"text": "Amiodarone is a drug.", "complete": True}
        page.route("**/descriptions", lambda route: route.fulfill(json={"records": [text]}))

    page = visit(server.url, before=all_kinds).page
    for tab, button, said in (("Classes", "Classify", "Found: growth."), ("Terms", "Describe", "Done.")):
        page.get_by_role("tab", name=tab).click()
        page.get_by_role("button", name="Example").click()
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status")).to_have_text(said)
    expect(page.locator("#descriptions .text")).to_have_text("Amiodarone is a drug.")


def test_the_model_says_what_it_is(server: Serving, visit: Callable[..., Visit]) -> None:
    report = {
        "perplexity": 20.5,
        "baseline_perplexity": 20.25,
        "perplexity_increase": {"value": 0.01234, "interval": [0.01, 0.02]},
        "top_1_agreement": {"value": 0.987, "interval": [0.98, 0.99]},
        "gate": {"max_perplexity_increase": 0.01, "passed": False},
    }
    described = {
        "id": "some-model",
        "max_model_len": 1024,
        "precision": "int8",
        "recipe": "int8",
        "batch_invariant": True,
        "quality": report,
        "tasks": ["bc5cdr"],
    }

    def quantized(page: Any) -> None:
        page.route("**/v1/models", lambda route: route.fulfill(json={"object": "list", "data": [described]}))

    page = visit(server.url, before=quantized).page
    facts = page.get_by_role("complementary", name="Model")
    for said in (
        "some-model",
        "int8",
        "1024 tokens",
        "bc5cdr",
        "20.50",
        "1.23 % (1.00 % to 2.00 %)",
        "98.7 %",
        "missed",
    ):
        expect(facts).to_contain_text(said)
    expect(page).to_have_title("BioGPT: some-model")


def test_a_model_without_a_report_says_so(server: Serving, visit: Callable[..., Visit]) -> None:
    expect(visit(server.url).page.locator("#quality-note")).to_have_text("It carries no report.")
