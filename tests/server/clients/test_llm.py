"""The command `llm` continues a prompt over the server, with no more than a few lines of configuration."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import biogpt_onnx
from makers.serving import Process

pytestmark = pytest.mark.skipif(find_spec("llm") is None, reason="llm is not installed: make test-clients")

PROMPT = "Aspirin inhibits"
MODELS = """\
- model_id: biogpt
  model_name: mini
  api_base: {url}/v1
  completion: true
"""


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "none"}
    command = [sys.executable, "-m", "llm", *arguments]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("how", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_prompt_is_continued(server: Process, mini: biogpt_onnx.BioGPT, tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(url=server.url), encoding="utf-8")
    settings = ["-o", "temperature", "0", "-o", "max_tokens", "12", "-o", "logprobs", "2"]
    found = run(tmp_path, "prompt", "-m", "biogpt", PROMPT, *settings, *how)
    assert found.rstrip("\n") == mini.generate(PROMPT, max_new_tokens=12).text
    (logged,) = json.loads(run(tmp_path, "logs", "--json"))
    assert logged["response"] == found.rstrip("\n")
    assert logged["model"] == "biogpt"
