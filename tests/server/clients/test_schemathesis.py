"""schemathesis finds no request that the server answers otherwise than its OpenAPI document says."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from makers.serving import KEY, Process

pytestmark = pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="schemathesis is not installed: make test-clients"
)

SETTINGS = Path(__file__).with_name("schemathesis.toml")
# Small, so that what is asked for is soon answered or refused.
BOUNDS = {"max-rows": 4, "max-prompts": 4, "max-waiting": 16, "answer-seconds": 0.5}


def test_all_checks_pass_on_all_addresses(serve: Callable[..., Process], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(KEY)
    bounds = [part for name, value in BOUNDS.items() for part in (f"--{name}", str(value))]
    server = serve("--api-key-file", str(keys), *bounds)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)),
        *("run", f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {KEY}"),
        *("--checks", "all", "--continue-on-failure", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"Tested: (\d+)", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) >= 17
    # What took too long was told so; nothing else went wrong.
    assert not [line for line in server.log if " ERROR " in line or "status=500" in line]
