"""Nothing leaves: every command, and the server, where there is no network, with a record of every socket."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from biogpt_onnx import corpus
from biogpt_onnx.cli.commands import COMMANDS
from biogpt_onnx.runtime.bundle import ClassificationHead
from conftest import MakeOnce
from makers.bundles import export_with_head
from makers.corpora import documents, write_json_lines
from makers.network import asks_this_machine, command, network_calls, run_apart, traced

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="has no namespaces")

FORMS = {
    "export": "export {checkpoint} -o {new}",
    "verify": "verify {tiny} --against {tiny-checkpoint}",
    "quantize": "quantize {bundle} -o {new} --recipe int4 --calibration {text} --text {text} "
    "--max-perplexity-increase 1000",
    "evaluate": "evaluate {bundle} --baseline {bundle} --text {text} --prompts 1",
    "bench": "bench {bundle} --scenario p16-n32 --min-runs 1 --min-seconds 0",
    "advise": "advise {bundle} --threads 1 --seconds 0",
    "generate": "generate {bundle} Aspirin --max-new-tokens 4 --share-weights",
    "relations": "relations {bundle} {documents} -o {new} --task bc5cdr",
    "ask": "ask {bundle} {documents} -o {new} --question Why?",
    "classify": "classify {classifier} {documents} -o {new}",
    "tag": "tag {tagger} {documents} -o {new}",
    "embed": "embed {bundle} {documents} -o {new}",
    "describe": "describe {bundle} {text} -o {new}",
    "evaluate-task": "evaluate-task {bundle} --gold {gold} --task bc5cdr",
    "info": "info {bundle} --check --lineage",
    "corpus prepare": "corpus prepare {documents} -o {new} --task bc5cdr",
    "corpus work": "corpus work {run} {bundle} --workers 2",
    "corpus status": "corpus status {run}",
    "corpus merge": "corpus merge {answered} -o {new}",
    "corpus estimate": "corpus estimate {run} {bundle}",
}
ELSEWHERE = {"serve", "web"}
"""Commands with a test of their own."""

SEQUENCE = ClassificationHead("sequence-classification", ("no", "yes"), "single_label_classification", 1)
TOKENS = ClassificationHead("token-classification", ("O", "B-x"), "single_label_classification", 1)
GOLD = {"7": {"title": "Tremor.", "abstract": "Lithium caused tremor.", "relations": []}}

SERVING = """
import http.client, json, os, signal, socket, subprocess, sys, time

def ask(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    method = "GET" if body is None else "POST"
    connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status

def end(tracer, number):
    # The program that traces the server heeds no signals itself.
    children = f"/proc/{tracer.pid}/task/{tracer.pid}/children"
    for child in open(children).read().split() if os.path.exists(children) else ():
        os.kill(int(child), number)

with socket.socket() as one:
    one.bind(("127.0.0.1", 0))
    port = one.getsockname()[1]
server = subprocess.Popen([*sys.argv[1:], "--port", str(port)])
try:
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    statuses = [
        ask(port, "/v1/completions", {"model": "mini", "prompt": "http://192.0.2.1/", "max_tokens": 4}),
        ask(port, "/v1/tasks/relations", {"task": "bc5cdr", "documents": [{"text": "Lithium caused tremor."}]}),
        ask(port, "/metrics", None),
        ask(port, "/", None),
    ]
    end(server, signal.SIGTERM)
    print(json.dumps({"port": port, "statuses": statuses, "code": server.wait(60)}))
finally:
    end(server, signal.SIGKILL)
"""


@pytest.fixture
def paths(  # noqa: PLR0913, PLR0917 -- fixtures
    mini_bundle: Path,
    mini_checkpoint: Path,
    tiny_bundle: Path,
    tiny_checkpoint: Path,
    make_once: MakeOnce,
    tmp_path: Path,
) -> dict[str, Path]:
    source = write_json_lines(tmp_path / "documents.jsonl", documents(3))
    text = tmp_path / "text.txt"
    text.write_text("Lithium caused tremor in two patients.\nCisplatin caused renal failure.\n", encoding="utf-8")
    gold = tmp_path / "gold.json"
    gold.write_text(json.dumps(GOLD), encoding="utf-8")
    return {
        "tiny": tiny_bundle,
        "tiny-checkpoint": tiny_checkpoint,
        "bundle": mini_bundle,
        "checkpoint": mini_checkpoint,
        "classifier": make_once("network-classifier", lambda to: export_with_head(to, SEQUENCE)),
        "tagger": make_once("network-tagger", lambda to: export_with_head(to, TOKENS)),
        "documents": source,
        "text": text,
        "gold": gold,
        "run": tmp_path / "run",
        "answered": tmp_path / "run",
        "new": tmp_path / "new",
    }


def test_every_command_is_tried() -> None:
    assert {name.partition(" ")[0] for name in FORMS} == set(COMMANDS) - ELSEWHERE


def test_a_socket_of_a_process_that_is_started_would_be_seen(tmp_path: Path) -> None:
    opening = "import socket; socket.socket().connect_ex(('192.0.2.1', 9))"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {opening!r}])"
    assert run_apart([*traced(tmp_path / "calls"), sys.executable, "-c", program]).returncode == 0
    calls = network_calls(tmp_path / "calls")
    assert [call for call, _ in calls][:2] == ["socket", "connect"]
    assert 'inet_addr("192.0.2.1")' in calls[1][1]


@pytest.mark.parametrize("name", FORMS)
def test_a_command_opens_no_socket(
    paths: dict[str, Path], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "verify" and importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    monkeypatch.setenv("BIOGPT_ONNX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    if name.startswith("corpus") and name != "corpus prepare":
        corpus.prepare([paths["documents"]], paths["run"], "bc5cdr", unit_documents=1)
    if name == "corpus merge":
        corpus.work(paths["run"], paths["bundle"], workers=1, threads=1)
    words = [word.format(**paths) for word in FORMS[name].split()]
    ended = run_apart([*traced(tmp_path / "calls"), *command(*words)])
    assert ended.returncode == 0, ended.stderr
    # torch asks for the name of the user, and so the C library a service of this machine, which need not be there.
    assert [each for each in network_calls(tmp_path / "calls") if not asks_this_machine(*each)] == []


def test_a_page_whose_package_is_not_there_is_not_fetched(mini_bundle: Path, tmp_path: Path) -> None:
    ended = run_apart([*traced(tmp_path / "calls"), *command("web", mini_bundle, "-o", tmp_path / "new")])
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert [each for each in network_calls(tmp_path / "calls") if not asks_this_machine(*each)] == []


def test_the_server_only_takes_connections_at_the_address_that_it_was_given(mini_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    record = tmp_path / "calls"
    ended = run_apart([sys.executable, "-c", SERVING, *traced(record), *command("serve", mini_bundle)])
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert set(found["statuses"]) == {200}
    assert found["code"] == 0
    calls = network_calls(record)
    # One socket that listens, and those of clients; the event loop wakes itself by a pair of its own.
    opened = [arguments for call, arguments in calls if call == "socket"]
    assert len(opened) == 1
    assert opened[0].startswith("AF_INET, SOCK_STREAM")
    (bound,) = [arguments for call, arguments in calls if call == "bind"]
    assert f'sin_port=htons({found["port"]}), sin_addr=inet_addr("127.0.0.1")' in bound
    assert not [call for call, _ in calls if call == "connect"]
    # Addressed messages, as to a name server, name whom they are for.
    assert not [arguments for call, arguments in calls if call.startswith("send") and "sin_addr" in arguments]
    accepted = [arguments for call, arguments in calls if call.startswith("accept") and "sin_addr" in arguments]
    assert accepted
    assert all('inet_addr("127.0.0.1")' in arguments for arguments in accepted)
