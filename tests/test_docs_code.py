"""The code of the pages: commands are parsed, Python runs, names in prose exist."""

import contextlib
import dataclasses
import importlib
import io
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import biogpt_onnx
from biogpt_onnx import tasks
from biogpt_onnx.cli.main import _parser
from biogpt_onnx.runtime.ort.providers import OLDEST
from conftest import MakeOnce
from makers.bundles import export_with_head
from makers.checkpoints import SEQUENCE, TOKENS

ROOT = Path(__file__).parents[1]
TEXTS = [path for path in (*ROOT.glob("[CR]*.md"), *sorted(ROOT.glob("docs/**/*.md"))) if (ROOT / "docs").is_dir()]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
SHELLS = {"", "sh", "bash", "shell", "console"}
CONTROL = {"|", "&&", "||", ";"}
FILE_ENDINGS = {"onnx", "safetensors", "pt", "pth", "py", "bin"}

NOT_RUN = {
    "docs/gpu.md": "needs an NVIDIA GPU",
    "docs/api/rooms.md": "works on checkpoints and gold of the reader's; test_rooms.py calls the functions",
}
"""Pages whose Python is not run, with the reason; `test_docs` still compares its names with the code."""

NOT_OPTIONS = {
    *("eos_token_id", "bad_words_ids", "sequence_bias", "suppress_tokens", "begin_suppress_tokens"),
    *("forced_bos_token_id", "forced_eos_token_id", "logits_processors", "stopping_criteria"),
}
"""Settings that name token ids or functions, which a command line cannot give."""

pytestmark = pytest.mark.skipif(not TEXTS, reason="runs in the checkout only")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def commands_of(path: Path) -> Iterator[list[str]]:
    """Each command of ours in a page's blocks, as words after `biogpt-onnx`, without what the shell takes."""
    for language, code in FENCE.findall(path.read_text(encoding="utf-8")):
        if language in SHELLS:
            for line in code.replace("\\\n", " ").splitlines():
                yield from commands_in(line)


def commands_in(line: str) -> Iterator[list[str]]:
    if "biogpt-onnx " not in line or line.startswith(("pip ", "{")):
        return
    words = shlex.split(line.removeprefix("$ "), comments=True)
    ours: list[str] | None = None
    skip = False
    for word in [*words, ";"]:
        if skip:
            skip = False
        elif word in CONTROL:
            if ours:
                yield ours
            ours = None
        elif word in {"<", ">", ">>", "2>"}:
            skip = True
        elif ours is not None:
            ours.append(word)
        elif word == "biogpt-onnx":
            ours = []


COMMANDS = [(path, words) for path in TEXTS for words in commands_of(path)]


def test_every_command_in_a_block_is_one_that_the_command_line_takes() -> None:
    assert len(COMMANDS) > 20
    refused = []
    for path, words in COMMANDS:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                _parser().parse_args(words)
            except SystemExit as ended:
                if ended.code != 0:
                    refused.append(f"{name_of(path)}: biogpt-onnx {shlex.join(words)}: {said.getvalue().strip()}")
    assert refused == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("biogpt-onnx info BUNDLE  # says what it is", [["info", "BUNDLE"]]),
        ("$ echo a | biogpt-onnx generate b --json < in > out", [["generate", "b", "--json"]]),
        ("biogpt-onnx info a && biogpt-onnx info b", [["info", "a"], ["info", "b"]]),
        ("make demo", []),
    ],
)
def test_commands_are_found_in_lines_of_shell(line: str, expected: list[list[str]]) -> None:
    assert list(commands_in(line)) == expected


def test_every_setting_that_a_command_line_can_give_is_an_option_of_generate() -> None:
    options = vars(_parser().parse_args(["generate", "bundle"]))
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        _parser().parse_args(["generate", "--help"])
    given = {name.replace("-", "_") for name in re.findall(r"--([a-z][a-z-]*)", said.getvalue())} | set(options)
    fields = {field.name for field in dataclasses.fields(biogpt_onnx.GenerationConfig)}
    assert {name for name in fields - given if name != "stop_strings"} == NOT_OPTIONS
    assert "stop" in given


PYTHON_PAGES = [
    path for path in TEXTS if any(language == "python" for language, _ in FENCE.findall(path.read_text("utf-8")))
]


@pytest.fixture
def bundles(mini_bundle: Path, make_once: MakeOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a page's code runs: it holds the bundles that the pages name."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in ("mini", "mini-int8", "biogpt", "biogpt-int8", "bc5cdr", "bc5cdr-int8"):
        (folder / name).symlink_to(mini_bundle)
    (folder / "severity").symlink_to(make_once("docs-severity", lambda to: export_with_head(to, SEQUENCE)))
    (folder / "entities").symlink_to(make_once("docs-entities", lambda to: export_with_head(to, TOKENS)))
    shutil.copy(ROOT / "examples" / "causes.toml", tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "first.txt").write_text("Lithium caused tremor.\n", encoding="utf-8")
    (tmp_path / "prompts.txt").write_text("Aspirin inhibits\nInsulin is\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder


# The page's number of threads may be more than the cores that the tests may use.
@pytest.mark.filterwarnings("ignore:threads is")
@pytest.mark.usefixtures("bundles")
@pytest.mark.parametrize("path", PYTHON_PAGES, ids=name_of)
def test_the_python_of_a_page_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name_of(path) in NOT_RUN:
        pytest.skip(NOT_RUN[name_of(path)])
    # A page is read from its top, and so are its blocks: later ones use what the first ones make.
    names: dict[str, Any] = {"__name__": "a_page"}
    for language, code in FENCE.findall(path.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(code, name_of(path), "exec", dont_inherit=True), names)  # noqa: S102 -- the pages are ours
    assert names.keys() - {"__name__", "__builtins__"}
    capsys.readouterr()


def test_pages_that_are_not_run_have_python() -> None:
    assert set(NOT_RUN) <= {name_of(path) for path in PYTHON_PAGES}


DOTTED = re.compile(r"(biogpt_onnx|model|tasks)((?:\.[A-Za-z_]\w*)+)")


@pytest.mark.parametrize("path", [path for path in TEXTS if path.name != "CHANGELOG.md"], ids=name_of)
def test_every_name_of_python_in_prose_exists(path: Path) -> None:
    missing = []
    for code in INLINE_CODE.findall(prose(path)):
        found = DOTTED.match(code)
        if found is not None and not FILE_ENDINGS & set(found[2].split(".")) and not exists(found[1], found[2]):
            missing.append(code)
    assert missing == []


def exists(first: str, rest: str) -> bool:
    found: Any = {"biogpt_onnx": biogpt_onnx, "model": biogpt_onnx.BioGPT, "tasks": tasks}[first]
    for name in rest.split(".")[1:]:
        if isinstance(found, type) and name in re.findall(r"^ +(\w+):", found.__doc__ or "", re.MULTILINE):
            # An attribute of its objects, whose class is not known here.
            return True
        if isinstance(found, ModuleType) and not hasattr(found, name):
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(f"{found.__name__}.{name}")
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


@pytest.mark.parametrize(
    ("first", "rest", "expected"),
    [
        ("biogpt_onnx", ".load", True),
        ("biogpt_onnx", ".Prefix", True),
        ("model", ".generate", True),
        ("model", ".generat", False),
        ("tasks", ".BC5CDR", True),
        ("tasks", ".BC6CDR", False),
        ("model", ".device", True),
    ],
)
def test_a_name_that_does_not_exist_is_noticed(first: str, rest: str, expected: bool) -> None:  # noqa: FBT001
    assert exists(first, rest) is expected


MAKE = re.compile(r"(?:^|`|=\S+ )make (?:[A-Z]+=\S+ )*([a-z][\w-]*)", re.MULTILINE)


def make_targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_target_of_make_that_a_page_names_is_there(path: Path) -> None:
    named = set(MAKE.findall(path.read_text(encoding="utf-8")))
    assert named - make_targets() == set()


def test_the_test_ladder_has_every_target_that_tests() -> None:
    ladder = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The test ladder")[2]
    targets = {name for name in make_targets() if name.startswith(("test", "lint", "docs"))}
    assert {"test", "test-oldest", "test-wheel"} <= targets
    assert targets - set(re.findall(r"^\| `make ([\w-]+)` \|", ladder, re.MULTILINE)) == set()


def test_the_pages_name_the_oldest_onnx_runtime_that_is_tested() -> None:
    oldest = f"ONNX Runtime {'.'.join(map(str, OLDEST))} is the oldest"
    assert oldest in (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    assert "`make test-oldest`" in (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_extra_that_a_page_installs_is_there(path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"biogpt-onnx\[([\w,-]+)\]", path.read_text(encoding="utf-8"))
    extras = {extra for group in named for extra in group.split(",")}
    assert extras - set(project["optional-dependencies"]) == set()


def test_every_environment_variable_of_ours_that_a_page_names_is_read() -> None:
    named = {name for path in TEXTS for name in re.findall(r"\bBIOGPT_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("biogpt_onnx", "export", "quantize", "runtime", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__)
    )
    assert named
    assert [name for name in sorted(named) if name not in code] == []
