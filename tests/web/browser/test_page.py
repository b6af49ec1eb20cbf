"""The page without a server in a real browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from makers.pages import NO_PLAYWRIGHT, Visit
from makers.static_server import ISOLATED, Static, serving_folder
from makers.web import SETTINGS

playwright = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
expect = playwright.expect

PROMPT = "The patient was treated with"
MARKUP = "<img src=x onerror=alert(1)>"
AGAIN = "copy the whole folder to the server again."
FILES = ("onnxruntime/ort-wasm-simd-threaded.wasm", "bundle/model.onnx", "bundle/model.onnx.data", "bundle/vocab.json")


@pytest.fixture(scope="module")
def static(sites: dict[str, Path]) -> Iterator[Static]:
    with serving_folder(sites["fp32"]) as found:
        yield found


@pytest.fixture
def copied(sites: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sites["int8"], tmp_path / "site"))


def write(page: Any, prompt: str = PROMPT, **settings: Any) -> str:
    """Writes a text with these settings; returns what the page shows."""
    page.get_by_label("Prompt").fill(prompt)
    for name, value in settings.items():
        if isinstance(value, bool):
            page.locator(f"#{name}").set_checked(value)
        else:
            page.locator(f"#{name}").fill("\n".join(value) if isinstance(value, list) else str(value))
    page.get_by_role("button", name="Write").click()
    page.locator("#stop[aria-disabled=true]").wait_for()
    return str(page.locator("#result").text_content())


def in_python(bundle: Path, **settings: Any) -> str:
    with biogpt_onnx.load(bundle, threads=1) as model:
        return f"{PROMPT}{model.generate(PROMPT, **settings).text}"


def test_a_text_is_that_of_python_and_ends_as_the_page_says(
    static: Static, bundles: dict[str, Path], visit: Callable[..., Visit]
) -> None:
    page = visit(static.url).page
    expect(page.locator("#model")).to_have_text("mini: fp32, 22 MB, 1 thread")
    assert write(page, max_new_tokens=20) == in_python(bundles["fp32"], max_new_tokens=20)
    expect(page.get_by_role("status")).to_contain_text("It has max_new_tokens. 20 tokens")
    settings: dict[str, Any] = {"max_new_tokens": 40, "stop_strings": ["dose", "drug"]}
    assert write(page, **settings) == in_python(bundles["fp32"], **settings)
    expect(page.get_by_role("status")).to_contain_text("A stop string came.")


def test_a_sample_is_that_of_python_with_the_same_seed(
    static: Static, bundles: dict[str, Path], visit: Callable[..., Visit]
) -> None:
    page = visit(static.url).page
    expect(page.locator("#seed")).to_be_disabled()
    settings: dict[str, Any] = {
        "do_sample": True,
        "seed": 5,
        "temperature": 0.9,
        "top_k": 50,
        "top_p": 0.95,
        "max_new_tokens": 30,
    }
    assert write(page, **settings) == in_python(bundles["fp32"], **settings)


def test_threads_compute_where_the_server_isolates_the_page(
    sites: dict[str, Path], bundles: dict[str, Path], visit: Callable[..., Visit]
) -> None:
    with serving_folder(sites["fp32"], ISOLATED) as static:
        page = visit(f"{static.url}?threads=2").page
        expect(page.locator("#model")).to_contain_text("2 threads")
        assert write(page, max_new_tokens=20) == in_python(bundles["fp32"], max_new_tokens=20)


def test_the_form_has_the_settings_of_python(static: Static, visit: Callable[..., Visit]) -> None:
    page = visit(static.url).page
    names = [each.get_attribute("id") for each in page.locator("form input, form textarea:not(#prompt)").all()]
    assert sorted(map(str, names)) == sorted(SETTINGS)


def test_a_bad_setting_is_refused_at_its_field(static: Static, visit: Callable[..., Visit]) -> None:
    page = visit(static.url).page
    page.locator("#max_new_tokens").fill("0")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#max_new_tokens:invalid")).to_be_focused()
    expect(page.locator("#text")).to_have_text("")


def test_a_text_can_be_stopped_and_another_begun(static: Static, visit: Callable[..., Visit]) -> None:
    page = visit(static.url).page
    page.locator("#max_new_tokens").fill("900")
    page.get_by_role("button", name="Write").click()
    expect(page.locator("#text")).to_contain_text(" ")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    assert write(page, max_new_tokens=3) != PROMPT


def test_prompts_and_texts_are_no_markup(static: Static, visit: Callable[..., Visit]) -> None:
    page = visit(static.url).page
    assert write(page, MARKUP, max_new_tokens=4).startswith(MARKUP)
    assert page.locator("img").count() == 0


def test_the_model_is_asked_for_once_and_then_kept(sites: dict[str, Path], visit: Callable[..., Visit]) -> None:
    with serving_folder(sites["int8"]) as static:
        page = visit(static.url).page
        asked = [path for _, path in static.asked]
        assert all(asked.count(f"/{name}") == 1 for name in FILES)
        static.asked.clear()
        page.reload()
        page.locator("#begin[aria-disabled=false]").wait_for()
        asked = [path for _, path in static.asked]
        assert not any(asked.count(f"/{name}") for name in FILES)
        write(page, max_new_tokens=3)


def test_a_model_that_was_packed_anew_takes_the_place_of_the_old(
    sites: dict[str, Path], tmp_path: Path, visit: Callable[..., Visit]
) -> None:
    shutil.copytree(sites["int8"], tmp_path / "site")
    with serving_folder(tmp_path / "site") as static:
        page = visit(static.url).page
        shutil.rmtree(tmp_path / "site")
        shutil.copytree(sites["int4"], tmp_path / "site")
        page.reload()
        expect(page.locator("#model")).to_contain_text("mini-int4: int4")
        expect(page.locator("#note")).to_contain_text("it may choose another than biogpt-onnx in Python")
        kept = page.evaluate(
            "async () => { const names = await caches.keys(); const store = await caches.open(names[0]);"
            " return (await store.keys()).length; }"
        )
        assert kept == len(FILES) + 1


def test_no_text_leaves_the_browser(static: Static, visit: Callable[..., Visit], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    static.asked.clear()
    with serving_folder(tmp_path, {"Access-Control-Allow-Origin": "*"}) as elsewhere:
        found = visit(static.url)
        write(found.page, "Hypertension was found", max_new_tokens=3)
        assert {method for method, _ in static.asked} == {"GET"}
        assert all("hypertension" not in path.lower() for _, path in static.asked)
        # Not even by mistake: neither the page nor the model's thread may reach another server.
        script = f"fetch('{elsewhere.url}secret').then(() => 'reached', () => 'refused')"
        assert found.page.evaluate(script) == "refused"
        assert found.page.workers[0].evaluate(script) == "refused"
        assert elsewhere.asked == []
    found.said.clear()
    found.requests[:] = [asked for asked in found.requests if not asked.startswith(elsewhere.url)]


def spoil_missing(site: Path) -> str:
    (site / "bundle" / "model.onnx.data").unlink()
    return f"Error: bundle/model.onnx.data is missing on the server (status 404): {AGAIN}"


def spoil_altered(site: Path) -> str:
    path = site / "bundle" / "model.onnx.data"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    return f"Error: bundle/model.onnx.data is not the file that was packed: {AGAIN}"


def spoil_cut(site: Path) -> str:
    path = site / "bundle" / "vocab.json"
    path.write_bytes(path.read_bytes()[:-10])
    return f"Error: bundle/vocab.json is not the file that was packed: {AGAIN}"


def spoil_longer(site: Path) -> str:
    path = site / "onnxruntime" / "ort-wasm-simd-threaded.wasm"
    path.write_bytes(path.read_bytes() + b"\0")
    return f"Error: onnxruntime/{path.name} is not the file that was packed: {AGAIN}"


def spoil_description(site: Path) -> str:
    (site / "page.json").unlink()
    return f"Error: page.json is missing on the server (status 404): {AGAIN}"


def spoil_script(site: Path) -> str:
    (site / "tokenizer.js").unlink()
    return "Error: the model's thread has ended: load the page again, update the browser, or copy the folder anew."


@pytest.mark.parametrize(
    "spoil", [spoil_missing, spoil_altered, spoil_cut, spoil_longer, spoil_description, spoil_script]
)
def test_a_folder_that_is_not_whole_is_said_in_one_line(
    copied: Path, visit: Callable[..., Visit], spoil: Callable[[Path], str]
) -> None:
    expected = spoil(copied)
    with serving_folder(copied) as static:
        found = visit(static.url, ready=False)
        expect(found.page.get_by_role("alert")).to_have_text(expected)
        expect(found.page.locator("#begin")).to_have_attribute("aria-disabled", "true")


def without_simd(page: Any) -> None:
    # What an old browser answers to instructions that it does not know.
    page.route(
        "**/ort-wasm-simd-threaded.mjs",
        lambda route: route.fulfill(
            content_type="text/javascript",
            body="export default async () => { throw new WebAssembly.CompileError('invalid value type'); };",
        ),
    )


def test_a_browser_that_cannot_run_onnx_runtime_is_told_to_be_updated(
    static: Static, visit: Callable[..., Visit]
) -> None:
    page = visit(static.url, ready=False, before=without_simd).page
    expect(page.get_by_role("alert")).to_contain_text("ONNX Runtime does not start in this browser: update it")


def test_where_no_script_runs_the_page_says_why(static: Static, visit: Callable[..., Visit]) -> None:
    def no_modules(page: Any) -> None:
        page.route("**/page.js", lambda route: route.abort())

    page = visit(static.url, ready=False, before=no_modules).page
    expect(page.get_by_role("alert")).to_have_text(
        "Error: this page does not start. Update the browser, switch JavaScript on, and open the page from a web "
        "server, not as a file."
    )


def test_a_prompt_that_is_too_long_is_said_and_the_next_is_answered(
    static: Static, visit: Callable[..., Visit]
) -> None:
    page = visit(static.url).page
    write(page, "aspirin " * 1500)
    expect(page.get_by_role("alert")).to_contain_text("the prompt has more tokens than the model's 1024 positions")
    assert write(page, max_new_tokens=3) != PROMPT
    expect(page.get_by_role("alert")).to_have_text("")
