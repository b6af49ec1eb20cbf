"""The one place for what differs between systems, and the habits by which files are equal on all of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("biogpt_onnx", "export", "quantize", "runtime")
PLACE = ROOT / "runtime" / "system"

pytestmark = pytest.mark.skipif(not PLACE.is_dir(), reason="runs in the checkout only")

# What only some systems have, or what tells them apart. The names of signals may stand in a text for users.
DIFFERS = re.compile(
    r"sys\.platform|\bos\.name\b|platform\.(?:system|uname)|\bfcntl\b|\bmsvcrt\b|\bwinreg\b"
    r"|import (?:pwd|grp|resource)\b"
    r"|/proc\b|/dev/|/sys/|sched_[gs]etaffinity|cpu_count|get(?:eu|u|eg|g)id\b|killpg|setpgid|os\.kill\b|start_new_session"
    r"|O_NOFOLLOW|O_DIRECTORY|O_BINARY|AF_UNIX|SO_REUSEADDR|sysconf|\bos\.fork\b|signal\.SIG(?!INT\b|TERM\b|_)"
    r"|add_signal_handler|multiprocessing"
)


def modules() -> list[Path]:
    links = [ROOT / "biogpt_onnx" / name for name in PACKAGES[1:]]
    found = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return sorted(path for path in found if not any(path.is_relative_to(link) for link in links))


def elsewhere() -> list[Path]:
    return [path for path in modules() if not path.is_relative_to(PLACE)]


def where(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """The calls in a module, with the names of what is called: the last one of `a.b.c(...)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield node, name


def keywords(call: ast.Call) -> set[str | None]:
    return {keyword.arg for keyword in call.keywords}


def mode_of(call: ast.Call, position: int) -> str:
    """The mode of a call that opens a file; "r" where none is given."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] + call.args[position : position + 1]
    return str(given[0].value) if given and isinstance(given[0], ast.Constant) else "r"


def test_there_is_code_to_look_at() -> None:
    assert len(elsewhere()) > 200
    assert any(DIFFERS.search(path.read_text(encoding="utf-8")) for path in PLACE.glob("*.py"))


def test_only_one_place_asks_which_system_it_runs_on() -> None:
    found = [
        where(path, number, match.group())
        for path in elsewhere()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in DIFFERS.finditer(line)
    ]
    assert found == []


def test_renames_and_flushes_go_through_that_place() -> None:
    """Elsewhere they would fail on Windows while a program has the file open, and not wait for the disk on macOS."""
    found = []
    for path in elsewhere():
        for call, name in calls(path):
            # `text.replace(old, new)` has two values, and settings are replaced by keywords.
            renames = name == "rename" or (name == "replace" and len(call.args) == 1 and not call.keywords)
            of_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func).startswith("os.")
            if isinstance(call.func, ast.Attribute) and (renames or (of_os and name in {"replace", "fsync"})):
                found.append(where(path, call.lineno, ast.unparse(call)))
    assert found == []


def test_text_is_written_with_one_encoding_and_one_end_of_line() -> None:
    """Files would differ by system, and digests with them."""
    found = []
    for path in modules():
        for call, name in calls(path):
            if name == "write_text":
                needed = {"encoding", "newline"}
            elif name == "read_text" and isinstance(call.func, ast.Attribute):
                needed = {"encoding"}
            elif name in {"open", "fdopen"} and _opens_text(call, name):
                writes = set(_mode(call, name)) & set("wxa")
                needed = {"encoding", "newline"} if writes else {"encoding"}
            elif name == "TextIOWrapper":
                needed = {"encoding"}
            else:
                continue
            if not needed <= keywords(call):
                found.append(where(path, call.lineno, ast.unparse(call)))
    assert found == []


def _mode(call: ast.Call, name: str) -> str:
    is_method = name == "open" and isinstance(call.func, ast.Attribute)
    return mode_of(call, 0 if is_method else 1)


def _opens_text(call: ast.Call, name: str) -> bool:
    """True for a call that opens a file as text: by a path's method, by the built-in function or a descriptor."""
    mode = _mode(call, name)
    is_mode = bool(re.fullmatch(r"[rwxab+t]{1,3}", mode))
    return is_mode and "b" not in mode and (bool(keywords(call) & {"encoding", "newline"}) or mode[0] in "wxa")


def test_what_programs_write_is_read_with_a_named_encoding() -> None:
    found = [
        where(path, call.lineno, name)
        for path in modules()
        for call, name in calls(path)
        if name in {"run", "Popen", "check_output"}
        and keywords(call) & {"text", "universal_newlines"}
        and "encoding" not in keywords(call)
    ]
    assert found == []
