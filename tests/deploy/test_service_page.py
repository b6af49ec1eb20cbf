"""The page "Run it as a service": what it tells a reader to type fits the server and the files."""

import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from biogpt_onnx.cli.main import _parser
from makers.deployment import DEPLOY, ROOT, Serve, Tool, exec_form, last_stage, unit_settings, values

PAGE = ROOT / "docs" / "service.md"
TEXT = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
BLOCKS = [(language, code) for language, code in re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]
SHELL = [code for language, code in BLOCKS if language == "sh"]
OF_EVERY_COMMAND = {"--help", "--debug"}


def lines_of_shell() -> list[str]:
    return [line for code in SHELL for line in code.replace("\\\n", " ").splitlines()]


def line_with(words: str) -> list[str]:
    """The only line of shell that begins with these words, divided as a shell would."""
    (found,) = (line for line in lines_of_shell() if line.startswith(words) and "--publish" in line)
    return shlex.split(found)


@pytest.fixture
def server(mini_bundle: Path) -> Iterator[str]:
    """The address of a server of the embedded checkpoint."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "biogpt_onnx", "serve", str(mini_bundle), "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stderr is not None
        found = (re.search(r"http://\S+:\d+", line) for line in program.stderr)
        yield next(match[0] for match in found if match)
        program.terminate()
        program.communicate(timeout=60)


@pytest.mark.parametrize("code", SHELL)
def test_a_shell_can_read_what_is_to_be_typed(tool: Tool, code: str, tmp_path: Path) -> None:
    path = tmp_path / "typed.sh"
    path.write_text(code, encoding="utf-8")
    run = tool("bash", "-n", path)
    assert (run.returncode, run.stderr) == (0, "")


def test_every_address_of_the_server_is_on_the_page() -> None:
    pytest.importorskip("starlette")
    routes = importlib.import_module("biogpt_onnx.server.app")._ROUTES
    addresses = {f"{method} {re.sub(r':path', '', path)}" for method, path, _ in routes}
    chat = "POST /v1/chat/completions"
    assert chat in addresses
    assert [address for address in sorted(addresses - {chat}) if f"`{address}`" not in TEXT] == []
    assert "`/v1/chat/completions`" in TEXT


def test_every_bound_of_the_server_is_in_the_table_of_bounds(serve: Serve) -> None:
    options = vars(serve(["bundle"]))
    bounds = {f"--{name.replace('_', '-')}" for name in options if name.startswith("max_") or name.endswith("_seconds")}
    table = TEXT.partition("## Bounds")[2].partition("**How many")[0]
    assert bounds == set(re.findall(r"`(--[a-z-]+)`", table))


def test_every_option_of_the_server_is_on_the_page() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        _parser().parse_args(["serve", "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said.getvalue())) - OF_EVERY_COMMAND
    assert {"--host", "--max-rows"} <= options
    assert [option for option in sorted(options) if not re.search(rf"(?<![\w-]){option}(?![\w-])", TEXT)] == []


def test_the_container_is_run_as_the_image_expects(serve: Serve) -> None:
    image = dict(last_stage(DEPLOY / "Containerfile"))
    user, _, group = image["USER"].partition(":")
    options = serve(exec_form(image["ENTRYPOINT"])[2:] + exec_form(image["CMD"]))
    words = line_with("podman run")
    given = dict(pairwise(words))
    secret = dict(part.split("=") for part in given["--secret"].split(",")[1:])
    assert secret == {"target": str(options.api_key_file), "uid": user, "gid": group, "mode": "0400"}
    assert given["--publish"].endswith(f":{image['EXPOSE']}")
    assert given["--volume"].split(":")[1:] == [str(options.bundle), "ro"]
    assert float(given["--stop-timeout"]) > options.drain_seconds
    assert given["--memory"] == given["--memory-swap"]


def test_every_secret_of_the_compose_file_is_made_for_the_user_of_its_service() -> None:
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    wanted = {
        (name if isinstance(name, str) else name["source"], service["user"])
        for service in content["services"].values()
        for name in service["secrets"]
    }
    made = re.findall(r"^sudo install -m 0400 -o (\d+) -g (\d+) \S+/([\w-]+) secrets/$", "\n".join(SHELL), re.MULTILINE)
    assert {(name, f"{user}:{group}") for user, group, name in made} == wanted


def test_the_service_is_installed_where_the_unit_looks() -> None:
    settings = unit_settings(DEPLOY / "systemd" / "biogpt-onnx.service")
    (command,), (credential,) = values(settings, "ExecStart"), values(settings, "LoadCredential")
    (typed,) = (code for code in SHELL if "systemctl enable" in code)
    program, _, bundle = command.split()[:3]
    assert f"python3 -m venv {Path(program).parents[1]}\n" in typed
    assert f" {bundle}\n" in typed
    assert f">> {credential.partition(':')[2]})" in typed


def test_the_python_for_openais_client_runs(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openai")
    (code,) = (code for language, code in BLOCKS if language == "py")
    assert "http://127.0.0.1:8000" in code
    exec(compile(code.replace("http://127.0.0.1:8000", server), PAGE.name, "exec"), {})  # noqa: S102 -- the page is ours
    first, second = capsys.readouterr().out.split("\n", 1)
    assert first.strip()
    assert second.strip()
