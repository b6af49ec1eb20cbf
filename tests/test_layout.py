"""The rules of the house that CONTRIBUTING names and that no linter checks."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from biogpt_onnx.runtime.backends.cpu import session as cpu_session
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cuda import session as cuda_session
from biogpt_onnx.runtime.backends.cuda.backend import CudaBackend
from biogpt_onnx.tasks import TASK_SPECS

ROOT = Path(__file__).parents[1]
CODE = ("biogpt_onnx", "export", "quantize", "runtime", "benchmarks", "examples")
MOST_MODULES = 15
WITHOUT_AN_IDEA = {"utils", "util", "helpers", "helper", "common", "misc"}
BACKENDS = ("biogpt_onnx.runtime.backends.cpu", "biogpt_onnx.runtime.backends.cuda")
BACKEND_CLASSES = {
    *(kind.__name__ for kind in (CpuBackend, CudaBackend, cpu_session.DecoderSession, cuda_session.DeviceSession)),
    "DeviceModel",
}

pytestmark = pytest.mark.skipif(not (ROOT / "runtime").is_dir(), reason="runs in the checkout only")


def modules(*folders: str) -> list[Path]:
    """The modules below these folders or files, each under one name: the links in biogpt_onnx are not followed."""
    roots = [ROOT / folder for folder in folders]
    found = [path for root in roots for path in ([root] if root.is_file() else root.rglob("*.py"))]
    links = [ROOT / "biogpt_onnx" / name for name in ("export", "quantize", "runtime")]
    return sorted(path for path in found if not any(path.is_relative_to(link) for link in links))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


# What is written for every device.
DEVICE_FREE = modules("runtime/decoding", "biogpt_onnx/tasks", "runtime/engine")


def test_there_is_code_to_check() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in modules(*CODE)}
    assert folders == set(CODE)
    assert {"streaming.py", "beam_search.py", "registry.py"} <= {path.name for path in DEVICE_FREE}


def test_no_folder_has_more_modules_than_one_takes_in_at_a_glance() -> None:
    counts: dict[Path, int] = {}
    for path in modules(*CODE):
        counts[path.parent] = counts.get(path.parent, 0) + (path.stem != "__init__")
    assert {name_of(folder): count for folder, count in counts.items() if count > MOST_MODULES} == {}


def test_every_module_is_named_for_what_it_holds() -> None:
    assert [name_of(path) for path in modules(*CODE) if path.stem in WITHOUT_AN_IDEA] == []


def imported(tree: ast.AST) -> Iterator[str]:
    """The names of the modules that a module imports, and of what it imports from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def checked_classes(tree: ast.AST) -> Iterator[str]:
    """The names of the classes that `isinstance` asks for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            for part in ast.walk(node.args[1]):
                if isinstance(part, ast.Name | ast.Attribute):
                    yield part.id if isinstance(part, ast.Name) else part.attr


def test_the_backends_are_found_where_they_are_imported() -> None:
    tree = ast.parse("from biogpt_onnx.runtime.backends.cuda import cache\nisinstance(x, str | session.DeviceSession)")
    assert [name for name in imported(tree) if name.startswith(BACKENDS)] == [f"{BACKENDS[1]}.cache"]
    assert set(checked_classes(tree)) & BACKEND_CLASSES == {"DeviceSession"}


@pytest.mark.parametrize("path", DEVICE_FREE, ids=name_of)
def test_strategies_engine_and_tasks_know_no_device(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert [name for name in imported(tree) if name.startswith(BACKENDS)] == []
    assert set(checked_classes(tree)) & BACKEND_CLASSES == set()
    assert "DeviceModel" not in text


@pytest.mark.parametrize("path", modules("runtime"), ids=name_of)
def test_the_runtime_names_no_task(path: Path) -> None:
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert strings & set(TASK_SPECS) == set()
