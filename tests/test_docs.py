import ast
import contextlib
import dataclasses
import importlib
import inspect
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import biogpt_onnx
from biogpt_onnx import corpus, export, quantize, scores, server, tasks
from biogpt_onnx.cli import main
from biogpt_onnx.cli.commands.corpus import PARTS
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle.architecture import Architecture

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [path for path in (*ROOT.glob("[CR]*.md"), *PAGES) if DOCS.is_dir()]
"""README, CHANGELOG, CONTRIBUTING and the pages; none where the tests run without the checkout."""

PUBLIC = (biogpt_onnx, tasks, export, quantize, scores, server, corpus)
PARTS_OF_COMMANDS = {"corpus": PARTS}
"""The commands that consist of others, with the names of these."""

README_LINES = 130
ADDED_AFTER_0_1_0 = (
    *("evaluation", "layer_precisions", "task", "causal", "head", "end_token_ids", "generation", "notes"),
    "manifest_sha256",
)
OPTIONS_OF_SCRIPTS = {"--address", "--data", "--everyone"}
OPTIONS_OF_OTHERS = {
    *("--index-url", "--platform", "--python-version", "--only-binary", "--wheel-dir", "--group"),
    *("--python", "--require-hashes", "--universal", "--generate-hashes"),
    "--collect-submodules",
    *("--array", "--filename"),
    *("--network", "--secret", "--signal", "--stop-timeout"),
}
"""Options of pip, uv, the scripts of a wheelhouse, PyInstaller, podman, sbatch and kubectl."""
OLD_WORDS = re.compile(r"\bslabs?\b|chain\.onnx|chain graph|running_beams|branch_rows|,\.|\bno numbers\b")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(
    r"(?:benchmarks|biogpt_onnx|checkpoints|deploy|docs|examples|export|quantize|runtime|tests)(?:/[\w.-]+)*/?"
)
PROGRAM = re.compile(r"python -m (benchmarks(?:\.[a-z]\w*)*)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

pytestmark = pytest.mark.skipif(not TEXTS, reason="runs in the checkout only")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """A text without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def blocks(path: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(path.read_text(encoding="utf-8")) if found == language]


def anchors(path: Path) -> list[str]:
    """The anchors of a text's headings, as the site's generator and GitHub make them."""
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in HEADING.findall(prose(path))]
    return [re.sub(r"\s+", "-", heading) for heading in plain]


def links(path: Path) -> Iterator[str]:
    for target in LINK.findall(INLINE_CODE.sub("", prose(path))):
        if not target.startswith(("http:", "https:")):
            yield target


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_link_leads_to_a_file_and_to_a_heading(path: Path) -> None:
    broken = []
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        # An API page's anchors come from the code, and the built site is checked for them.
        has_anchor = not anchor or "api" in target.parts or anchor in anchors(target)
        if not target.exists() or not has_anchor:
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_links_only_to_what_the_site_holds(path: Path) -> None:
    outside = [link for link in links(path) if not (path.parent / link).resolve().is_relative_to(DOCS)]
    assert outside == []


@pytest.mark.parametrize("path", [path for path in TEXTS if path.name != "CHANGELOG.md"], ids=name_of)
def test_every_file_and_program_that_a_page_names_is_there(path: Path) -> None:
    named = [code for code in INLINE_CODE.findall(prose(path)) if PATH.fullmatch(code) and "/" in code]
    # What a reader is told to make is not there.
    made = {"tests/runtime/backends/toy/"}
    assert [code for code in named if code not in made and not (ROOT / code).exists()] == []
    programs = [ROOT / name.replace(".", "/") for name in PROGRAM.findall(path.read_text(encoding="utf-8"))]
    assert [str(name) for name in programs if not (name.with_suffix(".py").exists() or name.is_dir())] == []


def test_every_setting_is_in_the_table_of_settings() -> None:
    rows = [line for line in (DOCS / "generate.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in INLINE_CODE.findall(row.split("|")[1])}
    assert {field.name for field in dataclasses.fields(biogpt_onnx.GenerationConfig)} == named


def test_every_folder_of_code_has_a_line_in_the_architecture() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## Every folder")[2]
    named = [
        code.rstrip("/") for line in text.splitlines() if line.startswith("| `") for code in INLINE_CODE.findall(line)
    ]
    folders = {
        folder.relative_to(ROOT)
        for top in ("export", "quantize", "runtime", "benchmarks")
        for folder in (path.parent for path in (ROOT / top).glob("*/**/*.py"))
        if len(folder.relative_to(ROOT).parts) == 2
    }
    assert sorted(str(folder) for folder in folders if str(folder) not in named) == []


@pytest.mark.parametrize("path", [path for path in TEXTS if path.name != "CHANGELOG.md"], ids=name_of)
def test_no_two_headings_of_a_page_share_an_anchor(path: Path) -> None:
    found = anchors(path)
    assert len(set(found)) == len(found)


def test_every_page_is_in_the_navigation_once() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(navigated(settings["project"]["nav"])) == [str(page.relative_to(DOCS)) for page in PAGES]


def navigated(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    assert isinstance(entry, list | dict)
    for part in entry if isinstance(entry, list) else entry.values():
        yield from navigated(part)


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE)) | set(INLINE_CODE.findall(text))
    public = [f"{module.__name__}.{name}" for module in PUBLIC for name in module.__all__]
    assert [name for name in public if name not in documented] == []


def test_the_glossary_is_in_alphabetical_order() -> None:
    terms = [heading.lower() for heading in HEADING.findall((DOCS / "glossary.md").read_text(encoding="utf-8"))[1:]]
    assert terms == sorted(terms)


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=name_of)
def test_words_that_were_given_up_do_not_come_back(path: Path) -> None:
    assert OLD_WORDS.findall(path.read_text(encoding="utf-8")) == []


PYTHON = [(path, code) for path in TEXTS for code in blocks(path, "python")]


@pytest.mark.parametrize(("path", "code"), PYTHON, ids=lambda value: name_of(value) if isinstance(value, Path) else "")
def test_python_in_the_pages_uses_what_there_is(path: Path, code: str) -> None:
    tree = ast.parse(code, str(path))
    names: dict[str, object] = {"biogpt_onnx": biogpt_onnx, "tasks": tasks, "model": biogpt_onnx.BioGPT}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            owner = names[node.value.id]
            known = {*dir(owner), *(instance_attributes(owner))}
            assert node.attr in known, f"{path}: {node.value.id} has no {node.attr}"
        elif isinstance(node, ast.Call):
            check_keywords(path, node, names)


def instance_attributes(owner: object) -> set[str]:
    """What a class's docstring says that its objects have."""
    return set() if isinstance(owner, ModuleType) else set(re.findall(r"^ +(\w+):", owner.__doc__ or "", re.MULTILINE))


def check_keywords(path: Path, call: ast.Call, names: dict[str, object]) -> None:
    function = call.func
    if not (
        isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in names
    ):
        return
    parameters = inspect.signature(getattr(names[function.value.id], function.attr)).parameters
    known = set(parameters)
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        known |= {field.name for field in dataclasses.fields(biogpt_onnx.GenerationConfig)}
    unknown = [keyword.arg for keyword in call.keywords if keyword.arg not in known]
    assert unknown == [], f"{path}: {function.attr} takes no {unknown}"


@cache
def options_of(command: str) -> frozenset[str]:
    """The options that a command's help names; none where there is no such command."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", said.getvalue()))


def commands_in(line: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of ours in a line of shell, with the options that it is given."""
    words = shlex.split(line.removeprefix("$ "), comments=True)
    for place, word in enumerate(words[:-1]):
        if word != "biogpt-onnx" or words[place + 1].startswith("-"):
            continue
        arguments = []
        for argument in words[place + 2 :]:
            if argument in {"|", "<", ">", "&&"}:
                break
            arguments.append(argument)
        parts = PARTS_OF_COMMANDS.get(words[place + 1], {})
        part = f" {arguments[0]}" if arguments and arguments[0] in parts else ""
        yield f"{words[place + 1]}{part}", [argument for argument in arguments if re.match(r"--?[a-z]", argument)]


SHELL = [
    (path, line)
    for path in TEXTS
    for line in (
        *(line for code in blocks(path, "") for line in code.splitlines() if "biogpt-onnx" in line),
        *(code for code in INLINE_CODE.findall(prose(path)) if code.startswith("biogpt-onnx ")),
    )
    if not line.startswith(("pip ", "bundles/"))
]


def test_commands_in_the_pages_have_the_options_that_they_are_given() -> None:
    wrong = []
    for path, line in SHELL:
        for command, given in commands_in(line):
            known = options_of(command)
            wrong += [f"{name_of(path)}: {line}" for option in given or [""] if not known or option not in {"", *known}]
    assert SHELL
    assert wrong == []


def test_options_that_are_named_alone_belong_to_some_command() -> None:
    every = (OPTIONS_OF_SCRIPTS | OPTIONS_OF_OTHERS).union(*map(options_of, all_commands()))
    named = [
        (path, option)
        for path in TEXTS
        for code in INLINE_CODE.findall(prose(path))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)
        if "benchmarks" not in code
    ]
    assert [f"{name_of(path)}: {option}" for path, option in named if option not in every] == []


def all_commands() -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main(["--help"])
    found = re.findall(r"^    ([a-z][a-z-]+)", said.getvalue(), re.MULTILINE)
    return [*found, *(f"{name} {part}" for name, parts in PARTS_OF_COMMANDS.items() for part in parts)]


def shown_runs(path: Path) -> Iterator[tuple[str, str]]:
    """The commands after `$ ` and what a text says that they print."""
    for code in (*blocks(path, ""), *blocks(path, "console")):
        for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            yield line, printed


def test_the_first_pages_show_what_commands_print() -> None:
    assert all(list(shown_runs(path)) for path in (ROOT / "README.md", DOCS / "index.md"))


@pytest.mark.parametrize("path", [path for path in TEXTS if list(shown_runs(path))], ids=name_of)
def test_what_a_page_shows_is_what_the_commands_print(path: Path, mini_checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "mini").symlink_to(mini_checkpoint)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    exported = "biogpt-onnx export checkpoints/mini -o bundles/mini"
    found = list(shown_runs(path))
    for line, printed in found if found[0][0] == exported else [(exported, "…"), *found]:
        said, _, command = line.rpartition(" | ")
        run = subprocess.run(
            [sys.executable, "-m", "biogpt_onnx", *shlex.split(command)[1:]],
            input=" ".join(shlex.split(said)[1:]).encode(),
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env=environment,
        )
        expected = ".*".join(map(re.escape, printed.strip().split("…")))
        assert re.fullmatch(expected, run.stdout.decode().strip(), re.DOTALL), run.stdout.decode()


def test_the_format_page_names_every_field_input_and_output() -> None:
    text = (DOCS / "bundle-format.md").read_text(encoding="utf-8")
    fields = [field.name for kind in (bundle.Manifest, Architecture) for field in dataclasses.fields(kind)]
    tensors = [
        *(bundle.INPUT_IDS, bundle.POSITION_IDS, bundle.SEQLENS_K, bundle.TOTAL_SEQUENCE_LENGTH),
        *(bundle.ATTENTION_BIAS, bundle.LOGITS_INDICES, bundle.LOGITS, bundle.STEP_IDS, bundle.STEP_POSITION_IDS),
        *(bundle.BEST_IDS, bundle.BEST_LOG_PROBABILITIES, bundle.LOGITS_LIMIT, bundle.HIDDEN_STATES),
        bundle.QUERY_SEQLENS,
    ]
    files = [
        bundle.MANIFEST_FILE,
        bundle.WEIGHTS_FILE,
        bundle.MIXED_MODEL_FILE,
        bundle.RAGGED_MODEL_FILE,
        bundle.CAUSAL_MODEL_FILE,
        *bundle.REQUIRED_FILES,
    ]
    assert [name for name in (*fields, *tensors, *files) if f"`{name}`" not in text] == []
    assert f"What version {bundle.FORMAT_VERSION} promises" in text


@pytest.mark.parametrize("added", [{}, {"something_new": {"of": "later"}}])
def test_a_bundle_of_the_first_release_loads_and_unknown_fields_are_ignored(
    mini_bundle: Path, tmp_path: Path, added: dict[str, object]
) -> None:
    copy = Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))
    manifest = json.loads((copy / bundle.MANIFEST_FILE).read_text(encoding="utf-8"))
    first = {name: value for name, value in manifest.items() if name not in ADDED_AFTER_0_1_0}
    assert len(first) == len(manifest) - len(ADDED_AFTER_0_1_0)
    (copy / bundle.MANIFEST_FILE).write_text(json.dumps(first | added), encoding="utf-8")
    assert biogpt_onnx.load(copy, warm_up=False).generate("Aspirin", max_new_tokens=2).text
