"""Prompts, and the texts that follow them."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from makers.pages import NO_PLAYWRIGHT, Serving, Visit, serving

expect = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT).expect

PROMPT = "The patient was treated with"
LONG = "900"


def begin(page: Any, **fields: str) -> Any:
    """Fills in the form for prompts and sends it; returns the panel."""
    panel = page.locator("#completions")
    panel.get_by_label("Prompt").fill(fields.pop("prompt", PROMPT))
    for label, value in fields.items():
        panel.get_by_label(label.replace("_", " "), exact=True).fill(value)
    panel.get_by_role("button", name="Write").click()
    return panel


def load(server: Serving) -> dict[str, int]:
    with urlopen(f"{server.url}load") as answer:  # noqa: S310 -- our own server
        found: dict[str, int] = json.load(answer)
    return found


def test_a_text_comes_behind_its_prompt_and_the_end_is_announced(server: Serving, visit: Callable[..., Visit]) -> None:
    panel = begin(visit(server.url).page, Most_tokens="12")
    expect(panel.get_by_role("status")).to_contain_text("Done: 12 tokens")
    expect(panel.get_by_role("status")).to_contain_text("as many tokens as were asked for")
    text = panel.locator(".text").inner_text()
    assert text.startswith(f"{PROMPT} ")
    assert len(text) > len(PROMPT) + 5


def test_a_text_is_seen_while_it_grows_and_can_be_stopped(server: Serving, visit: Callable[..., Visit]) -> None:
    panel = begin(visit(server.url).page, Most_tokens=LONG)
    expect(panel.locator(".result")).to_have_attribute("aria-busy", "true")
    expect(panel.locator(".text")).to_contain_text(re.compile(rf"{PROMPT} \w+"))
    early = panel.locator(".text").inner_text()
    expect(panel.locator(".text")).not_to_have_text(early, use_inner_text=True)
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_role("status")).to_have_text("Stopped.")
    expect(panel.locator(".result")).to_have_attribute("aria-busy", "false")
    stopped = panel.locator(".text").inner_text()
    assert stopped.startswith(early)
    deadline = time.monotonic() + 60
    while load(server)["server_load"]:
        assert time.monotonic() < deadline, "the server goes on writing for nobody"
        time.sleep(0.05)
    assert panel.locator(".text").inner_text() == stopped


def test_the_next_text_takes_the_place_of_the_last_one(server: Serving, visit: Callable[..., Visit]) -> None:
    page = visit(server.url).page
    begin(page, Most_tokens="4")
    expect(page.locator("#completions .status")).to_contain_text("Done")
    panel = begin(page, Most_tokens="4", prompt="Aspirin inhibits")
    expect(panel.locator(".text")).to_have_count(1)
    expect(panel.locator(".text")).to_contain_text("Aspirin inhibits")
    expect(panel.get_by_role("status")).to_contain_text("Done")


def test_each_beam_has_its_own_column_the_best_first(server: Serving, visit: Callable[..., Visit]) -> None:
    panel = begin(visit(server.url).page, Most_tokens="10", Beams="3")
    expect(panel.get_by_role("status")).to_contain_text("Done: 30 tokens")
    columns = panel.locator(".column")
    assert [each.get_attribute("aria-label") for each in columns.all()] == ["Beam 1", "Beam 2", "Beam 3"]
    texts = [each.locator(".text").inner_text() for each in columns.all()]
    assert len({text for text in texts if text}) == 3
    found = [re.search(r"Log-probability (−?[\d.]+)\.", each.inner_text()) for each in columns.all()]
    scores = [float(each[1].replace("−", "-")) for each in found if each is not None]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    boxes = [each.bounding_box() for each in columns.all()]
    assert len({box["y"] for box in boxes}) == 1
    assert len({box["x"] for box in boxes}) == 3


def test_settings_reach_the_server_and_what_is_empty_is_left_out(server: Serving, visit: Callable[..., Visit]) -> None:
    asked: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.post_data:
            asked.append(json.loads(request.post_data))

    page = visit(server.url, before=lambda page: page.on("request", note)).page
    page.get_by_text("More settings").click()
    panel = begin(page, Most_tokens="3", Temperature="0.7", Top_p="0.9", Seed="5", Length_penalty="2")
    expect(panel.get_by_role("status")).to_contain_text("Done")
    sampled = {"temperature": 0.7, "top_p": 0.9, "seed": 5, "max_tokens": 3, "prompt": PROMPT, "stream": True}
    assert sampled.items() <= asked[0].items()
    assert asked[0].keys().isdisjoint({"top_k", "length_penalty", "num_beams", "repetition_penalty"})
    begin(page, Beams="2")
    expect(panel.locator(".column")).to_have_count(2)
    expect(panel.get_by_role("status")).to_contain_text("Done")
    assert {"num_beams": 2, "n": 2, "temperature": 0, "length_penalty": 2}.items() <= asked[1].items()
    assert asked[1].keys().isdisjoint({"top_p", "seed"})


def test_what_the_server_refuses_is_said_in_its_own_words(server: Serving, visit: Callable[..., Visit]) -> None:
    panel = begin(visit(server.url).page, Most_tokens="5000")
    expect(panel.get_by_role("alert")).to_contain_text(re.compile("The server refuses: .*max_tokens"))
    expect(panel.get_by_role("status")).to_have_text("")


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (429, {"Retry-After": "7"}, "The server is busy. Try again in 7 s."),
        (503, {}, "The server takes no new work now. Try again soon."),
        (413, {}, "The text is too long for the server. Shorten it."),
        (500, {"X-Request-Id": "r-1"}, "The server failed. Its log says more of request r-1."),
        (418, {}, "The server refuses (status 418)."),
    ],
)
def test_refusals_are_said_in_plain_words(
    server: Serving, visit: Callable[..., Visit], status: int, headers: dict[str, str], said: str
) -> None:
    page = visit(server.url).page
    page.route("**/v1/completions", lambda route: route.fulfill(status=status, headers=headers, body="<p>no JSON</p>"))
    expect(begin(page).get_by_role("alert")).to_have_text(said)


@pytest.mark.parametrize(
    ("events", "text", "said"),
    [
        ('data: {"choices":[{"index":0,"text":" one"}]}\r\n\r\ndata: [DONE]\r\n\r\n', " one", ""),
        (': note\n\ndata: {"choices":\ndata: [{"index":0,"text":" two"}]}\n\ndata: [DONE]\n\n', " two", ""),
        ('data: {"choices":[{"index":0,"text":" cut"}]}\n\n', " cut", "The connection broke before the end."),
        ('data: {"choi', "", "The connection broke before the end."),
        ('data: {"error":{"message":"out of time"}}\n\ndata: [DONE]\n\n', "", "The server ended the text: out of time"),
    ],
)
def test_streams_are_read_to_their_end_and_no_further(
    server: Serving, visit: Callable[..., Visit], events: str, text: str, said: str
) -> None:
    page = visit(server.url).page
    page.route("**/v1/completions", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    panel = begin(page)
    expect(panel.locator(".result")).to_have_attribute("aria-busy", "false")
    expect(panel.get_by_role("alert")).to_have_text(said)
    assert panel.locator(".text").inner_text() == PROMPT + text


def test_a_server_that_goes_away_is_missed_and_what_came_stays(mini_bundle: Path, visit: Callable[..., Visit]) -> None:
    with serving(mini_bundle) as server:
        page = visit(server.url).page
        panel = begin(page, Most_tokens=LONG)
        expect(panel.locator(".text")).to_contain_text(re.compile(rf"{PROMPT} \w+"))
        server.end()
        expect(panel.get_by_role("alert")).to_have_text("The connection broke before the end.")
        assert len(panel.locator(".text").inner_text()) > len(PROMPT)
        expect(page.locator("#load")).to_contain_text("The server does not answer.")
        panel = begin(page)
        expect(panel.get_by_role("alert")).to_contain_text("The server does not answer.")
