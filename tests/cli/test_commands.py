import subprocess
import sys
from pathlib import Path

import pytest

from biogpt_onnx.cli import commands
from biogpt_onnx.cli.commands import COMMANDS, load_command
from biogpt_onnx.cli.commands.corpus import PARTS

FOLDER = Path(commands.__file__).parent
MODULES = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
MODULES |= {path.parent.name for path in FOLDER.glob("*/__init__.py")}


def test_every_module_of_a_command_is_a_command() -> None:
    assert {name.replace("-", "_") for name in COMMANDS} == MODULES


@pytest.mark.parametrize("name", [*COMMANDS, *(f"corpus.{part}" for part in PARTS)])
def test_a_command_adds_its_arguments_and_runs(name: str) -> None:
    command = load_command(name)
    assert callable(command.add_arguments)
    assert callable(command.run)


def test_a_command_does_not_wait_for_the_others_to_be_imported(mini_bundle: Path) -> None:
    program = (
        "import sys\n"
        "from biogpt_onnx.cli import main\n"
        "main(['info', sys.argv[1]])\n"
        "print([name for name in sys.modules if name.startswith('biogpt_onnx.cli.commands.')])\n"
        "print([name for name in sys.modules if name in ('biogpt_onnx.tasks', 'biogpt_onnx.files')])\n"
    )
    run = subprocess.run([sys.executable, "-c", program, str(mini_bundle)], check=True, capture_output=True, text=True)
    assert run.stdout.splitlines()[-2:] == ["['biogpt_onnx.cli.commands.info']", "[]"]
