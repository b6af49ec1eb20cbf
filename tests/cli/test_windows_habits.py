"""Commands in processes that have Windows' habits, as far as Linux can put them on; see `makers.windows`."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from biogpt_onnx.runtime.bundle import MANIFEST_FILE, read_manifest
from makers.checkpoints import lively_tensors, tiny_architecture, write_huggingface
from makers.windows import MISSING_MODULES, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="puts Windows' habits on Linux")

# Greek, Chinese and a quotation mark, of which the first two are not in cp1252.
TEXT = "Parkinson\u2019s \u03b2-blocker \u836f"
ABSTRACT = (
    "Five patients who took amiodarone developed hypothyroidism. Thyroid function recovered after amiodarone was "
    f"withdrawn. {TEXT}"
)
EVERY_MODULE = """
import importlib, pkgutil, sys
import biogpt_onnx, biogpt_onnx.cli
for module in pkgutil.walk_packages(biogpt_onnx.__path__, "biogpt_onnx."):
    if module.name == "biogpt_onnx.__main__":
        continue
    try:
        importlib.import_module(module.name)
        print(module.name)
    except ModuleNotFoundError as error:
        print("missing", error.name, module.name)
"""


class Windows:
    """Runs commands as on Windows."""

    def __init__(self, folder: Path) -> None:
        self._environment = environment(folder)

    def python(self, program: str) -> "subprocess.CompletedProcess[bytes]":
        return self._run("-c", program)

    def started(self, *words: str | Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "biogpt_onnx", *map(str, words)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, env=self._environment)

    def __call__(self, *words: str | Path, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return self._run("-m", "biogpt_onnx", *map(str, words), given=given)

    def _run(self, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, *words],
            input=given,
            capture_output=True,
            check=False,
            env=self._environment,
        )


@pytest.fixture
def windows(tmp_path: Path) -> Windows:
    (tmp_path / "site").mkdir()
    return Windows(tmp_path / "site")


def fine(run: "subprocess.CompletedProcess[bytes]") -> str:
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return run.stdout.decode("utf-8")


def test_the_habits_are_on(windows: Windows, tmp_path: Path) -> None:
    """What follows would show nothing if they were not."""
    program = f"""
import os, sys
from pathlib import Path
from biogpt_onnx.runtime.system import kind
print(kind.NAME, sys.stdout.encoding, hasattr(os, "geteuid"), sys.modules["fcntl"])
folder = Path({str(tmp_path)!r}) / "held"
folder.mkdir()
with (folder / "file").open("w") as file:
    for action in (lambda: folder.rename(folder.with_name("x")), lambda: (folder / "file").unlink()):
        try:
            action()
        except PermissionError as error:
            print(error.strerror)
"""
    assert fine(windows.python(program)).splitlines() == [
        "Windows cp1252 False None",
        *["The process cannot access the file"] * 2,
    ]


def test_every_module_can_be_imported_without_the_modules_of_posix(windows: Windows) -> None:
    lines = fine(windows.python(EVERY_MODULE)).splitlines()
    missing = [line.split() for line in lines if line.startswith("missing")]
    assert [line for line in missing if line[1] in MISSING_MODULES or line[1].startswith("biogpt")] == []
    assert {"biogpt_onnx.cli.commands.generate", "biogpt_onnx.runtime.backends.cpu.prepacked_weights"} <= set(lines)
    assert len(lines) - len(missing) > 250


def test_text_beyond_the_systems_encoding_comes_out_as_utf8(windows: Windows, mini_bundle: Path) -> None:
    said = fine(windows("generate", mini_bundle, TEXT, "--max-new-tokens", "4"))
    assert said.startswith(TEXT)
    assert "\r" not in said
    lines = fine(windows("generate", mini_bundle, "--json", "--max-new-tokens", "4", given=f"{TEXT}\r\n".encode()))
    assert json.loads(lines)["prompt"] == TEXT
    refused = windows("generate", mini_bundle, TEXT, "--task", TEXT)
    assert refused.returncode == 2
    assert refused.stderr.decode("utf-8").startswith("error: ")


def test_bundles_are_made_replaced_and_are_the_bytes_of_other_systems(
    windows: Windows, mini_checkpoint: Path, mini_bundle: Path, tmp_path: Path
) -> None:
    target, int8, text = tmp_path / "mini", tmp_path / "int8", tmp_path / "text.txt"
    text.write_bytes(b"Lithium caused tremor.\r\nAspirin inhibits platelets.\r\n")
    fine(windows("export", mini_checkpoint, "-o", target))
    for path in mini_bundle.iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes(), path.name
    fine(windows("export", mini_checkpoint, "-o", target, "--overwrite"))
    fine(windows("quantize", target, "-o", int8, "--recipe", "int8", "--no-evaluation"))
    compared = ("--text", text, "--max-perplexity-increase", "1000")
    fine(windows("quantize", target, "-o", int8, "--recipe", "int4", *compared, "--overwrite"))
    fine(windows("info", int8, "--check"))
    assert {path.name for path in tmp_path.iterdir()} == {"mini", "int8", "site", "text.txt"}


def test_weights_are_shared_from_the_users_cache(windows: Windows, mini_bundle: Path, tmp_path: Path) -> None:
    program = f"""
import biogpt_onnx
for _ in range(2):
    with biogpt_onnx.load({str(mini_bundle)!r}, share_weights=True) as model:
        print(model.generate("Aspirin", max_new_tokens=4).token_ids)
"""
    one, two = fine(windows.python(program)).splitlines()
    assert one == two
    (entry,) = (path for path in (tmp_path / "site" / "biogpt-onnx").iterdir() if path.is_dir())
    assert (entry / "entry.json").exists()


def test_results_are_kept_continued_and_replaced(windows: Windows, mini_bundle: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(json.dumps({"text": ABSTRACT}).encode() + b"\r\n" for _ in range(3)))
    command = ("relations", mini_bundle, source, "--task", "bc5cdr")
    fine(windows(*command, "-o", output))
    written = output.read_bytes()
    assert (written.count(b"\n"), written.count(b"\r")) == (3, 0)
    assert fine(windows(*command)).encode() == written
    fine(windows(*command, "-o", output, "--overwrite"))
    assert output.read_bytes() == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "site"]
    refused = windows(*command, "-o", tmp_path / "aux.jsonl")
    assert refused.returncode == 2
    assert b"the name of a device on Windows" in refused.stderr


def test_a_corpus_is_answered_by_processes(windows: Windows, mini_bundle: Path, tmp_path: Path) -> None:
    source, run, output = tmp_path / "in.jsonl", tmp_path / "run", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": ABSTRACT}) + "\n" for _ in range(4)), encoding="utf-8")
    fine(windows("corpus", "prepare", source, "-o", run, "--task", "bc5cdr", "--unit-documents", "2"))
    fine(windows("corpus", "work", run, mini_bundle, "--workers", "2", "--threads", "1"))
    assert json.loads(fine(windows("corpus", "status", run, "--json")))["is_complete"]
    fine(windows("corpus", "merge", run, "-o", output))
    assert output.read_bytes().count(b"\n") == 4


def test_a_bundle_that_is_loaded_is_not_replaced_and_stays_whole(
    windows: Windows, mini_checkpoint: Path, mini_bundle: Path, tmp_path: Path
) -> None:
    target = shutil.copytree(mini_bundle, tmp_path / "mini")
    program = f"""
import biogpt_onnx
from biogpt_onnx.cli import main
with biogpt_onnx.load({str(target)!r}) as model:
    print(main(["export", {str(mini_checkpoint)!r}, "-o", {str(target)!r}, "--overwrite"]))
    print(model.generate("Aspirin", max_new_tokens=2).finish_reason)
print(main(["export", {str(mini_checkpoint)!r}, "-o", {str(target)!r}, "--overwrite"]))
"""
    run = windows.python(program)
    assert [line for line in fine(run).splitlines() if len(line) < 10] == ["2", "length", "0"]
    assert b"mini cannot be written (a program has it open" in run.stderr
    fine(windows("info", target, "--check"))
    assert {path.name for path in tmp_path.iterdir()} == {"mini", "site"}


def test_a_search_for_precisions_leaves_nothing_in_the_bundle(
    windows: Windows, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The weights that it tries are mapped to its end, so that their file cannot be removed before."""
    architecture = tiny_architecture()
    checkpoint = write_huggingface(tmp_path_factory.mktemp("tiny"), architecture, lively_tensors(architecture))
    program = f"""
from pathlib import Path
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize.auto.automatic import quantize_automatically
folder = Path({str(tmp_path)!r})
export_bundle(open_checkpoint({str(checkpoint)!r}), folder / "fp32")
quantize_automatically(folder / "fp32", folder / "auto", 0.02, texts=["Insulin lowers glucose.", "Aspirin"] * 9)
"""
    fine(windows.python(program))
    fine(windows("info", tmp_path / "auto", "--check"))
    listed = {*read_manifest(tmp_path / "auto").files, MANIFEST_FILE}
    assert {path.name for path in (tmp_path / "auto").iterdir()} == listed
    # What could not be removed then, the next run to the same place removes.
    fine(windows("quantize", tmp_path / "fp32", "-o", tmp_path / "auto", "--recipe", "int8", "--overwrite"))
    assert {path.name for path in tmp_path.iterdir()} == {"auto", "fp32", "site"}


def test_a_server_with_keys_starts_and_ends_in_order(windows: Windows, mini_bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-one-client-0123456789", encoding="utf-8")
    keys.chmod(0o666)  # as Python says of every file there
    with windows.started("serve", mini_bundle, "--port", "0", "--api-key-file", keys) as server:
        assert server.stderr is not None
        told = b""
        while not (found := re.search(rb"http://\S+", told)) and (line := server.stderr.readline()):
            told += line
        assert found is not None, told
        address = found.group().decode()
        with urlopen(f"{address}/health", timeout=60) as answer:  # noqa: S310 -- the address that the server has told
            assert answer.status == 200
        server.send_signal(signal.SIGINT)
        rest = server.stderr.read()
        assert server.wait() == 0, rest
    assert b"ending: nothing new is let in" in rest


def test_machine_and_cores_are_described_without_linuxs_files(windows: Windows) -> None:
    program = """
import json
from biogpt_onnx.bench.advice.cores import describe_cores
from biogpt_onnx.bench.machine import describe, usable_cores
from biogpt_onnx.bench.measuring.protocol import memory
from biogpt_onnx.corpus.working.capacity import free_memory
found = describe()
print(json.dumps([found["cpu"], found["cores"], len(usable_cores()), describe_cores().usable, memory(), free_memory()]))
"""
    name, count, usable, described, memory, free = json.loads(fine(windows.python(program)))
    assert name
    assert 1 <= count == usable == described == (os.cpu_count() or 1)
    assert set(memory.values()) == {0}
    assert free is None
