import io
import sys

import pytest

from biogpt_onnx.runtime.bulk.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_says_about_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("biogpt_onnx.runtime.bulk.progress.monotonic", lambda: now[0])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine("reading", estimate=True) as progress:
        for done in (10, 20, 40):
            progress(done, 100)
            now[0] += 60
    shown = terminal.getvalue()
    # What was there when it began tells nothing of the speed: ten in a minute, then thirty in two.
    assert "reading:  10 %\x1b" in shown
    assert "reading:  20 %, about 8 min left" in shown
    assert "reading:  40 %, about 4 min left" in shown


def test_the_rest_of_a_long_run_is_given_in_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("biogpt_onnx.runtime.bulk.progress.monotonic", lambda: now[0])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine("reading", estimate=True) as progress:
        progress(0, 100)
        for done, at in ((1, 80.0), (2, 160.0), (40, 3600.0)):
            now[0] = at
            progress(done, 100)
    shown = terminal.getvalue()
    assert "reading:   1 %, about 2 h 12 min left" in shown
    assert "reading:  40 %, about 1 h 30 min left" in shown


def test_without_an_estimate_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine("reading") as progress:
        progress(1, 4)
        progress(2, 4)
    assert "left" not in terminal.getvalue()


def test_where_the_number_of_all_is_not_known_the_line_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressLine("reading", estimate=True) as progress:
        for done in (1, 1200):
            progress(done, None)
    assert terminal.getvalue() == "\rreading: 1\x1b[K\rreading: 1,200\x1b[K\r\x1b[K"


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_nothing_is_shown_without_a_terminal(stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressLine("reading") as progress:
        progress(1, 4)
    assert stream is None or not stream.getvalue()
