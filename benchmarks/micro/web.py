"""Time of a token in a browser beside the same bundle in Python: `python -m benchmarks.micro.web --output FILE`.

Texts are written in turns: by Python and by the packed page in a headless Chromium, each with one thread and with
several, for which the server isolates the page. The number of each text's tokens is the same. It needs playwright, a
Chromium, and npm's package of ONNX Runtime's WebAssembly.
"""

import argparse
import functools
import http.server
import re
import shutil
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import biogpt_onnx
from benchmarks.full_size import PRESET
from benchmarks.model_files import add_recipe_arguments, chosen_bundles
from benchmarks.results_file import output_file, stamp, write_results
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.web import pack_page
from biogpt_onnx.web.onnxruntime_web import VERSION

ROUNDS = 5
TOKENS = 32
THREADS = 2
PROMPT = "The patient was treated with"
PATIENCE = 300_000
"""Milliseconds after which a page is given up."""

_HEADERS = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
_EACH = re.compile(r"(\d+) tokens, ([\d.]+) ms each")

Write = Callable[[], float]
"""Writes a text and returns the seconds of each token behind the first."""


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=output_file, required=True, help="the JSON file to write")
    parser.add_argument("--onnxruntime-web", type=Path, required=True, help="npm's package, as a file or unpacked")
    add_recipe_arguments(parser)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"texts of each (default {ROUNDS})")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"threads beside one (default {THREADS})")
    options = parser.parse_args()
    options.output.touch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = chosen_bundles(options, folder)
        results = {
            **stamp(),
            "model": PRESET,
            "onnxruntime_web": VERSION,
            "tokens": TOKENS,
            "rounds": options.rounds,
            "bundles": {recipe: _measured(bundle, folder / recipe, options) for recipe, bundle in bundles.items()},
        }
    write_results(options.output, results)


def _measured(bundle: Path, site: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Returns the medians of one bundle's texts, in seconds a token, and the seconds until its page is ready."""
    pack_page(bundle, site, options.onnxruntime_web)
    counts = (1, options.threads)
    with ExitStack() as stack:
        url = stack.enter_context(_serving(site))
        browser = stack.enter_context(_chromium())
        writers: dict[str, Write] = {}
        ready: dict[str, float] = {}
        for threads in counts:
            model = stack.enter_context(biogpt_onnx.load(bundle, threads=threads, device="cpu"))
            writers[f"python, {threads}"] = functools.partial(_in_python, model)
            start = perf_counter()
            page = _opened(browser, f"{url}?threads={threads}", threads)
            ready[f"browser, {threads}"] = perf_counter() - start
            writers[f"browser, {threads}"] = functools.partial(_in_browser, page)
        samples: dict[str, list[float]] = {name: [] for name in writers}
        for number in range(options.rounds + 1):
            for name, write in writers.items():
                seconds = write()
                if number:  # the first warms up: browsers compile WebAssembly better while it runs
                    samples[name].append(seconds)
    shutil.rmtree(site)
    medians = {name: statistics.median(seconds) for name, seconds in samples.items()}
    return {
        "bundle_bytes": read_manifest(bundle).num_bytes,
        "seconds_per_token": medians,
        "browser_to_python": {
            str(threads): medians[f"browser, {threads}"] / medians[f"python, {threads}"] for threads in counts
        },
        "ready_seconds": ready,
        "samples": samples,
    }


def _in_python(model: biogpt_onnx.BioGPT) -> float:
    start = count = 0.0
    for _ in model.stream(PROMPT, max_new_tokens=TOKENS, min_new_tokens=TOKENS, repetition_penalty=1.3):
        start, count = start or perf_counter(), count + 1
    return (perf_counter() - start) / (TOKENS - 1)


def _in_browser(page: Any) -> float:  # noqa: ANN401 -- of playwright, which need not be installed
    page.get_by_role("button", name="Write").click()
    page.locator("#stop[aria-disabled=false]").wait_for()
    page.locator("#stop[aria-disabled=true]").wait_for()
    found = _EACH.search(page.locator("#status").inner_text())
    if found is None or int(found[1]) != TOKENS:
        raise RuntimeError(f"the page says {page.locator('#status').inner_text()!r}")
    return float(found[2]) / 1000


def _opened(browser: Any, url: str, threads: int) -> Any:  # noqa: ANN401 -- as above
    """Opens a page in a context of its own, without anything kept, and fills in its form."""
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator("#begin[aria-disabled=false]").wait_for()
    if f"{threads} thread" not in (said := page.locator("#model").inner_text()):
        raise RuntimeError(f"the page says {said!r}, not {threads} threads")
    settings: Mapping[str, object] = {
        "prompt": PROMPT,
        "max_new_tokens": TOKENS,
        "min_new_tokens": TOKENS,
        "repetition_penalty": 1.3,
    }
    for name, value in settings.items():
        page.locator(f"#{name}").fill(str(value))
    return page


@contextmanager
def _chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise RuntimeError("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path)
        yield browser
        browser.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        """Adds the headers that give the page threads."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@contextmanager
def _serving(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    main()
