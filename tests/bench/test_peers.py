import ast
import importlib
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "compare" / "peers"
PACKAGE = "benchmarks.compare.peers"
PROMPTS = [[2, 5, 6], [2, 7, 8]]

pytestmark = pytest.mark.skipif(not PEERS.is_dir(), reason="runs in the checkout only")


def imported(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture
def protocol() -> Any:
    return imported("protocol")


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """With environments of the test's own, of which there are none yet."""
    module = imported("catalogue")
    monkeypatch.setattr(module, "ENVIRONMENTS", tmp_path / "environments")
    return module


class FakeModel:
    """Gives the tokens 10, 11, …, and knows no beams."""

    def __init__(self, forgets: int = 0, *, ticks: bool = True) -> None:
        self._forgets, self._ticks = forgets, ticks

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Any) -> list[list[int]]:
        if num_beams > 1:
            raise imported("protocol").Unsupported("knows no beams")
        for _ in range(new_tokens if self._ticks else 1):
            clock.tick()
        return [list(range(10, 10 + new_tokens - self._forgets)) for _ in prompts]

    def logits(self, ids: list[int]) -> npt.NDArray[np.float64]:
        return np.array([[float(token), 0.5] for token in ids])


def answers_of(protocol: Any, model: FakeModel, *requests: object) -> list[dict[str, Any]]:
    answers = io.StringIO()
    lines = [request if isinstance(request, str) else json.dumps(request) for request in requests]
    assert protocol.serve(lambda: model, ("numpy", "no-such-package"), lines, answers) == 0
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def generate(new_tokens: int, num_beams: int = 1, prompts: list[list[int]] = PROMPTS) -> dict[str, Any]:
    return {"generate": {"prompts": prompts, "new_tokens": new_tokens, "num_beams": num_beams}}


# The catalogue.


def test_no_two_peers_share_a_name_or_a_variant(catalogue: Any) -> None:
    assert max(Counter(peer.name for peer in catalogue.PEERS).values()) == 1
    assert max(Counter((peer.adapter, peer.variant) for peer in catalogue.PEERS).values()) == 1


def test_every_peer_has_its_adapter_its_requirements_and_a_known_precision(catalogue: Any) -> None:
    for peer in catalogue.PEERS:
        assert (PEERS / f"{peer.adapter}.py").is_file()
        assert (PEERS / "requirements" / f"{peer.package}.txt").is_file()
        assert peer.precision in {"fp32", "bf16", "int8", "int4"}
        assert peer.remark


def test_every_variant_of_an_adapter_is_in_the_catalogue_and_the_other_way_round(catalogue: Any) -> None:
    for name in {peer.adapter for peer in catalogue.PEERS}:
        adapter = imported(name).ADAPTER
        assert set(adapter.variants) == {peer.variant for peer in catalogue.PEERS if peer.adapter == name}


def test_every_adapter_in_the_folder_is_in_the_catalogue(catalogue: Any) -> None:
    assert {path.stem for path in PEERS.glob("*_peer.py")} == {peer.adapter for peer in catalogue.PEERS}


def test_no_environment_is_made_for_nothing(catalogue: Any) -> None:
    packages = {peer.package for peer in catalogue.PEERS}
    assert {path.stem for path in (PEERS / "requirements").glob("*.txt")} == packages


def test_every_adapter_understands_the_catalogues_commands(catalogue: Any, protocol: Any) -> None:
    for peer in catalogue.PEERS:
        parser = protocol._parser(imported(peer.adapter).ADAPTER)
        prepare = catalogue.prepare_command(peer, Path("checkpoint"), Path("output"))
        serve = catalogue.serve_command(peer, Path("output"), 3)
        for command in (prepare, serve):
            assert command[0] == str(catalogue.environment(peer) / "bin" / "python")
            assert command[1:3] == ["-m", f"{PACKAGE}.{peer.adapter}"]
        prepared = parser.parse_args(prepare[3:])
        served = parser.parse_args(serve[3:])
        assert (prepared.checkpoint, prepared.output, prepared.variant) == (
            Path("checkpoint"),
            Path("output"),
            peer.variant,
        )
        assert (served.output, served.variant, served.threads) == (Path("output"), peer.variant, 3)


def test_an_environment_that_is_not_there_says_how_to_make_it(catalogue: Any) -> None:
    reason = catalogue.unavailable(catalogue.PEERS[0])
    assert str(catalogue.environment(catalogue.PEERS[0])) in reason
    assert "make bench-peers" in reason


def test_an_environment_that_could_not_be_made_gives_its_reason(catalogue: Any) -> None:
    peer = catalogue.PEERS[0]
    catalogue.environment(peer).mkdir(parents=True)
    (catalogue.environment(peer) / "failed").write_text("no C compiler\n", encoding="utf-8")
    assert catalogue.unavailable(peer) == "no C compiler"


def test_a_half_made_environment_is_not_taken_for_a_whole_one(catalogue: Any) -> None:
    peer = catalogue.PEERS[0]
    (catalogue.environment(peer) / "bin").mkdir(parents=True)
    assert "make bench-peers" in catalogue.unavailable(peer)
    (catalogue.environment(peer) / "installed").touch()
    assert catalogue.unavailable(peer) is None


# The environments.


@pytest.fixture
def environments(catalogue: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Of two packages, of which `bad` cannot be installed; what was tried is in its attribute `tried`."""
    module: Any = imported("environments")
    monkeypatch.setattr(module, "ENVIRONMENTS", catalogue.ENVIRONMENTS)
    monkeypatch.setattr(module, "REQUIREMENTS", tmp_path)
    for package in ("bad", "good"):
        (tmp_path / f"{package}.txt").write_text("numpy\n", encoding="utf-8")
    tried: list[str] = []

    def install(folder: Path, requirements: Path) -> str | None:
        folder.mkdir(parents=True)
        tried.append(requirements.stem)
        return "error: no compiler" if requirements.stem == "bad" else None

    monkeypatch.setattr(module, "_install", install)
    monkeypatch.setattr(module, "tried", tried, raising=False)
    monkeypatch.setattr(sys, "argv", ["environments.py"])
    return module


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_llama_cpp_is_compiled_without_amx_whose_code_crashes(environments: Any, machine: str) -> None:
    options = environments.llama_cpp_options(machine)
    assert {option.partition("=")[0] for option in options} == {"-DCMAKE_C_FLAGS", "-DCMAKE_CXX_FLAGS"}
    assert all("-mno-amx-tile -mno-amx-int8" in option for option in options)


def test_other_processors_are_not_given_flags_that_their_compiler_refuses(environments: Any) -> None:
    assert environments.llama_cpp_options("aarch64") == []


def test_one_peer_that_cannot_be_installed_does_not_stop_the_others(environments: Any) -> None:
    environments.main()
    assert (environments.ENVIRONMENTS / "bad" / "failed").read_text(encoding="utf-8") == "error: no compiler\n"
    assert not (environments.ENVIRONMENTS / "bad" / "installed").exists()
    assert (environments.ENVIRONMENTS / "good" / "installed").is_file()


def test_made_again_only_what_failed_and_what_has_new_requirements_is_installed(
    environments: Any, tmp_path: Path
) -> None:
    environments.main()
    environments.tried.clear()
    environments.main()
    assert environments.tried == ["bad"]
    later = (environments.ENVIRONMENTS / "good" / "installed").stat().st_mtime + 10
    os.utime(tmp_path / "good.txt", (later, later))
    environments.tried.clear()
    environments.main()
    assert environments.tried == ["bad", "good"]


def test_an_unknown_package_is_refused_with_the_known_ones(
    environments: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["environments.py", "good", "ugly"])
    with pytest.raises(SystemExit) as stop:
        environments.main()
    assert stop.value.code == 2
    assert "unknown package ugly: choose from bad, good" in capsys.readouterr().err
    assert environments.tried == []


def test_the_reason_of_a_failure_is_what_was_wrong_and_not_what_pip_says_of_it_last(environments: Any) -> None:
    output = "  CMake Error: no C compiler\nnote: not a problem with pip\nERROR: Failed to build it\n"
    assert environments.reason_of(output, 1) == "CMake Error: no C compiler"
    assert environments.reason_of("ERROR: no such version\nnotice: new pip\n", 1) == "ERROR: no such version"
    assert environments.reason_of("", 7) == "pip ended with 7"


# The protocol.


def test_a_loaded_model_says_how_long_it_took_how_large_it_is_and_what_it_is(protocol: Any) -> None:
    (hello,) = answers_of(protocol, FakeModel())
    assert hello["load_seconds"] >= 0
    assert hello["resident_bytes"] >= hello["anonymous_bytes"] > 1_000_000
    assert hello["versions"] == {"numpy": np.__version__}


def test_a_model_that_cannot_be_loaded_is_one_line_of_error(protocol: Any) -> None:
    def load() -> FakeModel:
        raise RuntimeError("no such file:\n  model.onnx")

    answers = io.StringIO()
    assert protocol.serve(load, (), [], answers) == 1
    assert json.loads(answers.getvalue()) == {"error": "RuntimeError: no such file: model.onnx"}


def test_every_new_token_has_its_time(protocol: Any) -> None:
    _, answer = answers_of(protocol, FakeModel(), generate(4))
    assert len(answer["seconds"]) == 4
    assert answer["seconds"] == sorted(answer["seconds"])
    assert answer["tokens"] == [[10, 11, 12, 13]] * 2


def test_a_library_that_shows_no_steps_gives_the_total(protocol: Any) -> None:
    _, answer = answers_of(protocol, FakeModel(ticks=False), generate(4))
    assert len(answer["seconds"]) == 1


def test_a_peer_that_stops_early_is_not_measured(protocol: Any) -> None:
    _, answer = answers_of(protocol, FakeModel(forgets=1), generate(4))
    assert answer == {"error": "RuntimeError: gave [3, 3] tokens where 4 were asked for"}


def test_what_a_library_cannot_do_is_said_and_ends_nothing(protocol: Any) -> None:
    _, beams, greedy = answers_of(protocol, FakeModel(), generate(2, num_beams=5), generate(2))
    assert beams == {"unsupported": "knows no beams"}
    assert len(greedy["seconds"]) == 2


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("no json", "JSONDecodeError"),
        ({"dance": {}}, "unknown request"),
        (generate(2, prompts=[[2], [2, 3]]), "prompts of [1, 2] tokens"),
        (generate(0), "0 new tokens"),
        (generate(2, prompts=[]), "0 prompts"),
        ({"generate": {"prompts": [[2]]}}, "new_tokens"),
    ],
)
def test_a_wrong_request_is_an_error_in_one_line_and_the_next_is_answered(
    protocol: Any, request_: object, error: str
) -> None:
    _, wrong, right = answers_of(protocol, FakeModel(), request_, generate(1))
    assert error in wrong["error"]
    assert "\n" not in wrong["error"]
    assert "seconds" in right


def test_logits_are_written_as_float32(protocol: Any, tmp_path: Path) -> None:
    file = tmp_path / "logits.npy"
    _, answer = answers_of(protocol, FakeModel(), {"logits": {"ids": [2, 5, 6], "file": str(file)}})
    logits = np.load(file)
    assert answer == {"rows": 3}
    assert logits.dtype == np.float32
    assert logits[:, 0].tolist() == [2, 5, 6]


def test_memory_is_of_the_process_and_its_peak_no_less_than_now(protocol: Any) -> None:
    _, memory = answers_of(protocol, FakeModel(), {"memory": {}})
    assert memory["peak_resident_bytes"] >= memory["resident_bytes"] >= memory["anonymous_bytes"] > 0


NOISY_ADAPTER = """
import os, subprocess, sys
from benchmarks.compare.peers.protocol import Adapter, run

class Noisy:
    def generate(self, prompts, new_tokens, num_beams, clock):
        print("thinking")
        for _ in range(new_tokens):
            clock.tick()
        return [[int(os.environ["OMP_NUM_THREADS"])] * new_tokens for _ in prompts]

def load(folder, variant, threads):
    print("loading")
    os.write(1, b"from C\\n")
    return Noisy()

def prepare(checkpoint, output, variant):
    (output / "model").write_text(checkpoint.read_text())

sys.exit(run(Adapter(("plain",), ("numpy",), prepare, load)))
"""


@pytest.fixture
def noisy(tmp_path: Path, catalogue: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name, value in catalogue.VARIABLES.items():
        monkeypatch.setenv(name, value)
    script = tmp_path / "noisy.py"
    script.write_text(NOISY_ADAPTER, encoding="utf-8")
    return [sys.executable, str(script)]


def test_what_a_library_prints_does_not_reach_the_answers(noisy: list[str]) -> None:
    command = [*noisy, "serve", "nowhere", "--variant", "plain", "--threads", "3"]
    result = subprocess.run(command, input=json.dumps(generate(2)) + "\n", capture_output=True, text=True, check=True)
    hello, answer = (json.loads(line) for line in result.stdout.splitlines())
    assert "load_seconds" in hello
    assert answer["tokens"] == [[3, 3], [3, 3]]  # the threads that it was given
    assert "from C" in result.stderr


def test_a_prepared_folder_is_whole_or_not_there(noisy: list[str], tmp_path: Path) -> None:
    checkpoint, output = tmp_path / "checkpoint", tmp_path / "models" / "plain"
    command = [*noisy, "prepare", str(checkpoint), str(output), "--variant", "plain"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith(f"error: cannot prepare plain of {checkpoint}: FileNotFoundError")
    assert list(output.parent.iterdir()) == []
    checkpoint.write_text("weights", encoding="utf-8")
    subprocess.run(command, check=True)
    assert [path.name for path in output.parent.iterdir()] == ["plain"]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert (output / "model").read_text(encoding="utf-8") == "weights"
    assert [path.name for path in output.parent.iterdir()] == ["plain"]


# What runs in environments that have neither this package nor anything but the peer.


def imported_modules(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def imported_names(tree: ast.AST) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(tree)}


@pytest.mark.parametrize("path", sorted(PEERS.glob("*.py")), ids=lambda path: path.name)
def test_an_adapter_needs_nothing_that_its_environment_lacks(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_the_top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    siblings = {f"{PACKAGE}.{other.stem}" for other in PEERS.glob("*.py")}
    others = imported_modules(at_the_top) - siblings
    assert {name.partition(".")[0] for name in others} <= {*sys.stdlib_module_names, "numpy"}
    assert "biogpt_onnx" not in imported_names(tree)


@pytest.mark.parametrize("folder", [PEERS.parents[1], PEERS.parent, PEERS], ids=lambda folder: folder.name)
def test_no_package_around_the_adapters_imports_anything(folder: Path) -> None:
    assert imported_modules(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) == set()


def test_the_catalogue_needs_the_standard_library_alone() -> None:
    tree = ast.parse((PEERS / "catalogue.py").read_text(encoding="utf-8"))
    assert imported_names(tree) <= sys.stdlib_module_names


def test_an_adapter_starts_wherever_its_command_is_run(catalogue: Any, tmp_path: Path) -> None:
    for peer in {peer.adapter: peer for peer in catalogue.PEERS}.values():
        # This environment stands for the peer's, of which an adapter needs numpy to start.
        command = [sys.executable, *catalogue.serve_command(peer, tmp_path, 1)[1:4], "--help"]
        environment = {**os.environ, **catalogue.VARIABLES}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert "--variant" in done.stdout


def test_weights_are_given_to_peers_under_their_right_names() -> None:
    checkpoint = imported("checkpoint")
    folder = ROOT / "checkpoints" / "mini"
    tensors = importlib.import_module("safetensors.numpy").load_file(folder / "model.safetensors")
    model = checkpoint.Checkpoint(folder)
    hidden = model.config["hidden_size"]
    weight, bias = model.layers[1].query_key_value()
    assert np.array_equal(weight[hidden : 2 * hidden], tensors["biogpt.layers.1.self_attn.k_proj.weight"])
    assert np.array_equal(bias[2 * hidden :], tensors["biogpt.layers.1.self_attn.v_proj.bias"])
    assert np.array_equal(model.positions[0], tensors["biogpt.embed_positions.weight"][2])
    assert model.head is model.embedding
    assert model.embedding.dtype == np.float32
    assert model.embedding_scale == 16
    assert len(set(model.symbols)) == len(model.symbols) == len(model.embedding)
    assert model.symbols[2] == "</s>"
