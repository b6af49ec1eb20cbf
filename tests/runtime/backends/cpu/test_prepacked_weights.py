import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

import biogpt_onnx
from biogpt_onnx.quantize.recipes import RECIPES
from biogpt_onnx.runtime.backends import registry
from biogpt_onnx.runtime.backends.cpu import cache_folder, prepacked_weights
from biogpt_onnx.runtime.backends.cpu.opened_graph import runs_on_cpu
from biogpt_onnx.runtime.backends.cpu.prepacked_weights import ENTRY_FILE, PrepackedWeights
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.cuda.opening import CUDA
from biogpt_onnx.runtime.bundle import MODEL_FILE, RAGGED_MODEL_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.errors import BundleError, ConfigError
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort import sessions

LOAD = """
import sys
from pathlib import Path
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.options import LoadOptions
bundle, cache = map(Path, sys.argv[1:])
DecoderSession(bundle, read_manifest(bundle), LoadOptions(threads=1, share_weights=True, cache_folder=cache))
"""
DIE_WHILE_WRITING = """
import os, signal
from biogpt_onnx.runtime.backends.cpu.prepacked_weights import PrepackedWeights
write = PrepackedWeights._write_model
def write_and_die(self, folder, options):
    write(self, folder, options)
    os.kill(os.getpid(), signal.SIGKILL)
PrepackedWeights._write_model = write_and_die
"""
LITTLE_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
"""


@pytest.fixture(scope="module")
def int8(mini_by: Callable[[str], Path]) -> Path:
    """A bundle whose entry is small. Tests must not change it."""
    return mini_by("int8")


@pytest.fixture(autouse=True)
def _three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the number of threads as it is where there are fewer cores."""
    monkeypatch.setattr(sessions, "num_usable_cores", lambda: 3)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def open_session(bundle: Path, cache: Path | None = None, threads: int = 1) -> DecoderSession:
    """A session that shares its weights where there is a cache."""
    manifest = read_manifest(bundle)
    options = LoadOptions(threads=threads, share_weights=cache is not None, cache_folder=cache)
    return DecoderSession(bundle, manifest, options)


def some_logits(session: DecoderSession) -> npt.NDArray[np.float32]:
    """Of every position of a prompt, of steps behind it, and of a batch."""
    cache = session.new_cache(1, 64)
    found = [session.forward(np.arange(100, 140)[None], cache, logits_indices=np.arange(40))]
    found += [session.forward(np.array([[50 + step]]), cache) for step in range(3)]
    batch = session.new_cache(3, 8)
    found += [session.forward(np.array([[2], [900], [31 + step]]), batch) for step in range(3)]
    return np.concatenate(found)


def entries(cache: Path) -> list[Path]:
    """Everything in the cache but its lock."""
    return sorted(path for path in cache.iterdir() if path.name != ".lock")


def written(cache: Path) -> tuple[int, int]:
    """What tells the only entry from one that has been made anew."""
    (entry,) = entries(cache)
    status = (entry / WEIGHTS_FILE).stat()
    return status.st_ino, status.st_mtime_ns


def in_a_process(code: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", ["fp32", *RECIPES])
def test_shared_weights_answer_as_those_of_the_process_to_the_last_bit(
    name: str, mini_by: Callable[[str], Path], cache: Path
) -> None:
    bundle = mini_by(name)
    if not runs_on_cpu(read_manifest(bundle).precision):
        pytest.skip(f"{name} does not run on the CPU")
    expected = some_logits(open_session(bundle))
    np.testing.assert_array_equal(some_logits(open_session(bundle, cache)), expected)
    before = written(cache)
    np.testing.assert_array_equal(some_logits(open_session(bundle, cache, threads=2)), expected)
    assert written(cache) == before


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux says what a process has mapped")
def test_the_weights_lie_in_the_mapped_file_and_not_in_the_process(mini_bundle: Path, cache: Path) -> None:
    session = open_session(mini_bundle, cache)
    (entry,) = entries(cache)
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    spans = [line.split()[0].split("-") for line in lines if line.endswith(str(entry / WEIGHTS_FILE))]
    mapped = sum(int(end, 16) - int(start, 16) for start, end in spans)
    assert mapped > (mini_bundle / WEIGHTS_FILE).stat().st_size
    assert some_logits(session).size > 0


def test_the_number_of_threads_changes_nothing_in_the_files(int8: Path, tmp_path: Path) -> None:
    contents = set()
    for threads in (1, 2, 3):
        open_session(int8, tmp_path / str(threads), threads)
        (entry,) = entries(tmp_path / str(threads))
        contents.add(tuple((entry / name).read_bytes() for name in (MODEL_FILE, WEIGHTS_FILE, ENTRY_FILE)))
    assert len(contents) == 1


def test_a_bundle_may_be_moved_and_deleted(int8: Path, tmp_path: Path, cache: Path) -> None:
    bundle = Path(shutil.copytree(int8, tmp_path / "here"))
    expected = some_logits(open_session(bundle, cache))
    before = written(cache)
    bundle = bundle.rename(tmp_path / "there")
    session = open_session(bundle, cache)
    assert written(cache) == before
    shutil.rmtree(bundle)
    np.testing.assert_array_equal(some_logits(session), expected)
    (entry,) = entries(cache)
    assert str(tmp_path).encode() not in (entry / MODEL_FILE).read_bytes()


def test_a_model_goes_on_when_the_cache_is_deleted_and_the_next_makes_it_anew(int8: Path, cache: Path) -> None:
    session = open_session(int8, cache)
    expected = some_logits(session)
    shutil.rmtree(cache)
    np.testing.assert_array_equal(some_logits(session), expected)
    np.testing.assert_array_equal(some_logits(open_session(int8, cache)), expected)


def another_processor() -> dict[str, object]:
    return {"machine": "x86_64", "model": {"model name": ["Another"]}, "instruction_sets": ["sse2"]}


def another_onnxruntime() -> Any:
    return SimpleNamespace(
        __version__="0.0.1", get_build_info=onnxruntime.get_build_info, InferenceSession=onnxruntime.InferenceSession
    )


def another_build() -> Any:
    return SimpleNamespace(
        __version__=onnxruntime.__version__,
        get_build_info=lambda: "built elsewhere",
        InferenceSession=onnxruntime.InferenceSession,
    )


def model_path(bundle: Path, cache: Path, runtime: Any = onnxruntime) -> Path:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return PrepackedWeights(runtime, bundle, read_manifest(bundle), cache).model_path(options)


@pytest.mark.parametrize("other", ["processor", "version", "build"])
def test_nothing_made_for_another_processor_or_runtime_is_read(
    other: str, int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = model_path(int8, cache)
    before = written(cache)
    runtime: Any = {"version": another_onnxruntime(), "build": another_build()}.get(other, onnxruntime)
    with monkeypatch.context() as patch:
        if other == "processor":
            patch.setattr(prepacked_weights, "describe_processor", another_processor)
        theirs = model_path(int8, cache, runtime)
        assert theirs != ours
        assert len(entries(cache)) == 2
        # Not even where it lies under the right name.
        shutil.rmtree(theirs.parent)
        shutil.copytree(ours.parent, theirs.parent)
        stale = (theirs.parent / WEIGHTS_FILE).stat().st_ino
        assert model_path(int8, cache, runtime) == theirs
        assert (theirs.parent / WEIGHTS_FILE).stat().st_ino != stale
    shutil.rmtree(theirs.parent)
    assert model_path(int8, cache) == ours
    assert written(cache) == before


def test_settings_that_change_the_graph_have_entries_of_their_own(int8: Path, cache: Path) -> None:
    weights = PrepackedWeights(onnxruntime, int8, read_manifest(int8), cache)
    plain, precise, optimized = (onnxruntime.SessionOptions() for _ in range(3))
    precise.add_session_config_entry("session.x64quantprecision", "1")
    optimized.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for options in (plain, precise, optimized):
        options.log_severity_level = 4
    assert len({weights.model_path(options) for options in (plain, precise, optimized)}) == 3


def test_bundles_with_other_weights_have_entries_of_their_own(mini_bundle: Path, int8: Path, cache: Path) -> None:
    assert model_path(mini_bundle, cache) != model_path(int8, cache)
    assert len(entries(cache)) == 2


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def alter(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def link(path: Path) -> None:
    outside = next(parent for parent in path.parents if parent.name == "cache").parent
    path.symlink_to(path.rename(outside / "moved"))


def empty(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir(mode=0o700)


def replace_by_a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("x")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (WEIGHTS_FILE, cut),
        (WEIGHTS_FILE, Path.unlink),
        (WEIGHTS_FILE, link),
        (MODEL_FILE, cut),
        (MODEL_FILE, alter),
        (MODEL_FILE, Path.unlink),
        (ENTRY_FILE, Path.unlink),
        (ENTRY_FILE, alter),
        (ENTRY_FILE, lambda path: path.write_text("[]")),
        (ENTRY_FILE, lambda path: path.write_text("[" * 100_000)),
        (ENTRY_FILE, lambda path: path.write_text(path.read_text().replace('"size": ', '"size": 1'))),
        (ENTRY_FILE, lambda path: path.write_text(" " * 2_000_000)),
        ("", shutil.rmtree),
        ("", empty),
        ("", replace_by_a_file),
        ("", link),
    ],
)
def test_an_entry_that_is_not_whole_is_made_anew(name: str, damage: Any, int8: Path, cache: Path) -> None:
    expected = some_logits(open_session(int8, cache))
    before = written(cache)
    (entry,) = entries(cache)
    damage(entry / name)
    np.testing.assert_array_equal(some_logits(open_session(int8, cache)), expected)
    assert written(cache) != before
    assert not entry.is_symlink()


def test_an_entry_says_in_words_what_it_is(int8: Path, cache: Path) -> None:
    open_session(int8, cache)
    (entry,) = entries(cache)
    record = json.loads((entry / ENTRY_FILE).read_text())
    manifest = read_manifest(int8)
    assert record["model_files"] == {name: manifest.files[name].sha256 for name in (RAGGED_MODEL_FILE, WEIGHTS_FILE)}
    assert record["onnxruntime"]["version"] == onnxruntime.__version__
    assert record["processor"]["machine"]
    assert record["files"][WEIGHTS_FILE]["size"] == (entry / WEIGHTS_FILE).stat().st_size


def test_processes_that_start_at_once_all_succeed_and_make_one_entry(int8: Path, cache: Path) -> None:
    processes = [in_a_process(LOAD, int8, cache) for _ in range(3)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    (entry,) = entries(cache)
    assert {path.name for path in entry.iterdir()} == {ENTRY_FILE, MODEL_FILE, WEIGHTS_FILE}


def test_without_locks_whoever_is_slower_takes_the_others_entry(
    int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_folder, "lock", lambda *_, **__: None)
    write, written_by_the_faster = PrepackedWeights._write_model, []

    def write_slowly(self: PrepackedWeights, folder: Path, options: Any) -> None:
        write(self, folder, options)
        monkeypatch.setattr(PrepackedWeights, "_write_model", write)
        model_path(int8, cache)
        (entry,) = (path for path in entries(cache) if not path.name.startswith("."))
        written_by_the_faster.append((entry / WEIGHTS_FILE).stat().st_ino)

    monkeypatch.setattr(PrepackedWeights, "_write_model", write_slowly)
    model_path(int8, cache)
    assert written(cache)[0] == written_by_the_faster[0]


def test_a_writer_that_is_killed_leaves_no_entry_and_the_next_clears_up(int8: Path, cache: Path) -> None:
    process = in_a_process(DIE_WHILE_WRITING + LOAD, int8, cache)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (left,) = entries(cache)
    assert (left / WEIGHTS_FILE).exists()
    open_session(int8, cache)
    assert not left.exists()
    assert len(entries(cache)) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_a_writer_that_is_interrupted_leaves_nothing(
    error: BaseException, int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(prepacked_weights, "flush_folder", interrupted)
    with pytest.raises(type(error)):
        open_session(int8, cache)
    assert entries(cache) == []


def test_a_disk_that_fills_up_is_one_clear_error_and_leaves_nothing(int8: Path, cache: Path) -> None:
    process = in_a_process(LITTLE_DISK + LOAD, int8, cache)
    error = process.communicate()[1].splitlines()[-1]
    assert process.returncode == 1
    assert "ConfigError: prepacked weights of" in error
    assert "share_weights=False" in error
    assert entries(cache) == []


def test_too_little_room_is_said_before_anything_is_written(
    int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000_000))
    with pytest.raises(ConfigError, match=r"has 0.02 GB free, and prepacked weights may take 0.03 GB.*share_weights"):
        open_session(int8, cache)
    assert entries(cache) == []


def test_the_room_that_is_asked_for_suffices(int8: Path, cache: Path) -> None:
    open_session(int8, cache)
    (entry,) = entries(cache)
    assert (entry / WEIGHTS_FILE).stat().st_size < 2.25 * (int8 / WEIGHTS_FILE).stat().st_size


def test_a_folder_that_cannot_be_written_is_one_clear_error(int8: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "cache", Path("/dev/null/cache")):
        with pytest.raises(ConfigError, match=r"cannot be used \(.*BIOGPT_ONNX_CACHE.*share_weights=False"):
            open_session(int8, folder)
    assert (tmp_path / "file").read_text() == "x"


def test_a_cache_that_has_the_entry_need_not_be_writable(int8: Path, cache: Path) -> None:
    open_session(int8, cache)
    (cache / ".lock").unlink()
    cache.chmod(0o500)
    try:
        open_session(int8, cache)
        assert not (cache / ".lock").exists()
    finally:
        cache.chmod(0o700)


def test_the_cache_is_its_users_alone_whatever_the_umask(int8: Path, cache: Path) -> None:
    before = os.umask(0)
    try:
        open_session(int8, cache)
    finally:
        os.umask(before)
    (entry,) = entries(cache)
    paths = [cache, cache / ".lock", entry, *entry.iterdir()]
    assert [path.name for path in paths if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("name", ["", "entry", MODEL_FILE, WEIGHTS_FILE, ENTRY_FILE])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_can_write_to_is_not_read(name: str, mode: int, int8: Path, cache: Path) -> None:
    open_session(int8, cache)
    (entry,) = entries(cache)
    path = {"": cache, "entry": entry}.get(name, entry / name)
    path.chmod(path.stat().st_mode | mode)
    with pytest.raises(ConfigError, match=r"can be written by other users \(mode .*chmod go-w"):
        open_session(int8, cache)
    path.chmod(0o700)
    open_session(int8, cache)


def test_what_another_user_owns_is_not_read_unless_that_is_root(
    int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_session(int8, cache)
    owner = cache.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(cache_folder, "_SUPERUSER", owner + 2)
    with pytest.raises(ConfigError, match=f"belongs to another user .number {owner}.*share_weights=False"):
        open_session(int8, cache)
    monkeypatch.setattr(cache_folder, "_SUPERUSER", owner)
    open_session(int8, cache)


def test_a_bundle_that_was_altered_is_not_filed_under_its_old_name(int8: Path, tmp_path: Path, cache: Path) -> None:
    bundle = Path(shutil.copytree(int8, tmp_path / "altered"))
    with (bundle / WEIGHTS_FILE).open("r+b") as file:
        file.write(b"\x55")
    with pytest.raises(BundleError, match="is altered"):
        open_session(bundle, cache)
    assert entries(cache) == []


def test_an_entry_that_cannot_be_opened_says_which_to_delete(
    int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_nonsense(_self: object, folder: Path, _options: object) -> None:
        for name in (MODEL_FILE, WEIGHTS_FILE):
            (folder / name).write_text("x")

    monkeypatch.setattr(PrepackedWeights, "_write_model", write_nonsense)
    with pytest.raises(BundleError, match=f"delete {cache.resolve()}/.*made anew"):
        open_session(int8, cache)


def test_weights_that_cannot_be_shared_are_refused(
    mini_bundle: Path, int8: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="share_weights is True and prepack False"):
        biogpt_onnx.load(mini_bundle, share_weights=True, prepack=False, cache_folder=cache)
    with pytest.raises(ConfigError, match="only share_weights=True uses a cache"):
        biogpt_onnx.load(mini_bundle, cache_folder=cache)
    # Quantized weights are always rearranged.
    biogpt_onnx.load(int8, share_weights=True, prepack=False, cache_folder=cache)
    monkeypatch.setattr(registry, "choose_backend", lambda *_: CUDA)
    with pytest.raises(ConfigError, match="share_weights is True, but the model runs on CUDAExecutionProvider"):
        biogpt_onnx.load(mini_bundle, share_weights=True)


def test_a_loaded_model_generates_the_same_text(mini_bundle: Path, cache: Path, mini: biogpt_onnx.BioGPT) -> None:
    shared = biogpt_onnx.load(mini_bundle, share_weights=True, cache_folder=str(cache))
    prompts = ["Aspirin inhibits", "Insulin is"]
    assert [answer.token_ids for answer in shared.generate(prompts, max_new_tokens=12)] == [
        answer.token_ids for answer in mini.generate(prompts, max_new_tokens=12)
    ]
