import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "transformers",
    "onnx",
    "onnx_ir",
    "safetensors",
    "huggingface_hub",
    "optimum",
    "starlette",
    "uvicorn",
    "prometheus_client",
)


def loaded_after(program: str, *arguments: str) -> set[str]:
    """The heavy modules that a fresh process has loaded after running a program."""
    report = f"\nimport sys\nprint('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", program + report, *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    return set(run.stdout.rpartition("loaded:")[2].split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import biogpt_onnx") == set()


def test_importing_the_package_loads_three_modules() -> None:
    """A program pays for what it uses: each further module of a class or two takes half a millisecond or more."""
    program = "import sys; before = set(sys.modules); import biogpt_onnx; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    ours = {name for name in run.stdout.split() if name.startswith("biogpt_onnx")}
    assert ours == {"biogpt_onnx", "biogpt_onnx._interrupts", "biogpt_onnx._version"}
    assert "numpy" not in run.stdout.split()


SLOW = (
    "asyncio",
    "biogpt_onnx.runtime.backends.cpu.prepacked_weights",
    "biogpt_onnx.runtime.backends.cuda.session",
    "biogpt_onnx.runtime.concurrency",
    "biogpt_onnx.runtime.decoding.strategies.beam_search",
    "biogpt_onnx.runtime.decoding.strategies.speculative",
    "difflib",
    "email",
    "importlib.metadata",
    "logging",
    "numpy.random",
    "sacremoses",
    "statistics",
    "subprocess",
    "tempfile",
)
"""What takes time to import and a plain text needs none of."""


def test_the_first_text_waits_for_nothing_that_it_does_not_need(mini_bundle: Path) -> None:
    program = (
        "import sys, biogpt_onnx\n"
        "model = biogpt_onnx.load(sys.argv[1], warm_up=False)\n"
        "model.generate('Aspirin inhibits', max_new_tokens=2)\n"
        f"print('loaded:', *[name for name in {SLOW} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program, str(mini_bundle)], check=True, capture_output=True, text=True)
    assert run.stdout.rpartition("loaded:")[2].split() == []


@pytest.mark.parametrize("room", ["export", "quantize", "scores", "server", "corpus", "tasks", "runtime"])
def test_importing_a_room_loads_nothing_heavy(room: str) -> None:
    assert loaded_after(f"import biogpt_onnx.{room}") == set()


def test_generating_loads_nothing_heavy(mini_bundle: Path) -> None:
    program = "import sys, biogpt_onnx; biogpt_onnx.load(sys.argv[1]).generate('Aspirin', max_new_tokens=2)"
    assert loaded_after(program, str(mini_bundle)) == set()


def test_the_command_line_loads_nothing_heavy_to_generate(mini_bundle: Path) -> None:
    program = "import sys; from biogpt_onnx.cli import main; main(['generate', sys.argv[1], 'x', '--max-new-tokens=2'])"
    assert loaded_after(program, str(mini_bundle)) == set()


def test_exporting_safetensors_loads_no_torch(mini_checkpoint: Path, tmp_path: Path) -> None:
    program = "import sys; from biogpt_onnx.cli import main; main(['export', sys.argv[1], '-o', sys.argv[2]])"
    assert loaded_after(program, str(mini_checkpoint), str(tmp_path / "bundle")).isdisjoint({"torch", "transformers"})


def test_generating_opens_no_connection(mini_bundle: Path) -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_, **__): print('NETWORK'); raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import biogpt_onnx\n"
        "biogpt_onnx.load(sys.argv[1]).generate('Aspirin', max_new_tokens=2)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(mini_bundle)], check=True, capture_output=True, text=True)
    assert "NETWORK" not in run.stdout
