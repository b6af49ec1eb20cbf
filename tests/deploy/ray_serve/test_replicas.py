"""Two replicas of the server by Ray Serve, as deploy/ray-serve/replicas.py starts them."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from biogpt_onnx import BioGPT
from makers.corpora import wait_for
from makers.deployment import DEPLOY
from makers.serving import Process

pytest.importorskip("ray.serve")

pytestmark = [
    pytest.mark.ray,
    # One process, and so one cluster, for all.
    pytest.mark.xdist_group("replicas"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

SCRIPT = DEPLOY / "ray-serve" / "replicas.py"
KEY = "a-key-of-the-tests-0123456789"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
LONG = 800
ROWS = 4
REPLICAS = 2
PATIENCE = 180
LISTENING = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


@pytest.fixture(scope="module")
def server(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The replicas, of which each takes eight sequences at a time."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.touch(0o600)
    keys.write_text(f"{KEY}\n", encoding="utf-8")
    options = ("--replicas", str(REPLICAS), "--max-rows", str(2 * ROWS), "--api-key-file", str(keys))
    started = Process(mini_bundle, *options, program=[str(SCRIPT)], patience=PATIENCE)
    yield started
    family = descendants(started.pid)
    started.send(signal.SIGTERM)
    try:
        assert started.wait() == 0, started.log
        assert [pid for pid in family if is_running(pid)] == []
    finally:
        started.kill()


def request(prompt: str | list[str], tokens: int, **more: object) -> dict[str, object]:
    return {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, **more}


def complete(server: Process, asked: dict[str, object]) -> str:
    status, answer = server.ask("POST", "/v1/completions", asked, Authorization=f"Bearer {KEY}")
    assert status == 200, answer
    return str(answer["choices"][0]["text"])


class Stream:
    """A stream that has begun: its first piece is there.

    Attributes:
        text: what has come of the first sequence.
        is_done: True if its last event says so.
    """

    def __init__(self, server: Process, asked: dict[str, object]) -> None:
        self._connection = server.connect()
        self._connection.request("POST", "/v1/completions", json.dumps({**asked, "stream": True}), HEADERS)
        self._reply = self._connection.getresponse()
        assert self._reply.status == 200
        self.pieces: list[str] = []
        self.is_done = False
        while not self.pieces:
            self._read(self._reply.readline())

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def read_on(self) -> None:
        """Reads to the end, or until the connection breaks."""
        with contextlib.suppress(http.client.HTTPException, OSError):
            while line := self._reply.readline():
                self._read(line)
        self.leave()

    def leave(self) -> None:
        self._connection.close()
        self._reply.close()

    def _read(self, line: bytes) -> None:
        if line.strip() == b"data: [DONE]":
            self.is_done = True
        elif line.startswith(b"data: "):
            event = json.loads(line.removeprefix(b"data: "))
            self.pieces += [choice["text"] for choice in event["choices"] if choice["index"] == 0]


def measured(server: Process, name: str, **labels: str) -> Counter[str]:
    """The sum of the samples of a metric for each replica."""
    status, text = server.ask("GET", "/metrics", Authorization=f"Bearer {KEY}")
    assert status == 200
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                found[sample.labels["replica"]] += int(sample.value)
    return found


def processes() -> dict[int, tuple[int, str]]:
    """The parent and the title of each process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\t(\d+)$", (folder / "status").read_text(encoding="utf-8"), re.MULTILINE)
            title = (folder / "cmdline").read_bytes().split(b"\0")[0].decode("utf-8", "replace")
        except OSError:
            continue
        if parent:
            found[int(folder.name)] = (int(parent[1]), title)
    return found


def descendants(pid: int) -> dict[int, str]:
    """The titles of the processes that a process has started, and those that these have started."""
    known, wanted = processes(), {pid}
    found: dict[int, str] = {}
    while wanted:
        children = {child for child, (parent, _) in known.items() if parent in wanted}
        found |= {child: known[child][1] for child in children}
        wanted = children
    return found


def replicas_of(server: Process) -> set[int]:
    return {
        pid for pid, title in descendants(server.pid).items() if title.startswith("ray::ServeReplica:biogpt:Replica")
    }


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere"], "nowhere"),
        (["BUNDLE", "--replicas", "0"], "--replicas is 0"),
        (["BUNDLE", "--threads", "0"], "--threads is 0"),
        (["BUNDLE", "--host", "0.0.0.0"], "give --api-key-file"),  # noqa: S104 -- it is refused
        (["BUNDLE", "--max-rows", "0"], "max_rows"),
        (["BUNDLE", "--address", "127.0.0.1:1"], "no Ray cluster answers at 127.0.0.1:1"),
    ],
)
def test_bad_input_is_one_line(mini_bundle: Path, options: list[str], message: str) -> None:
    words = [str(mini_bundle) if word == "BUNDLE" else word for word in options]
    command = [sys.executable, str(SCRIPT), "--port", "0", *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 2
    lines = [line for line in ran.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in ran.stderr


def test_answers_are_those_of_the_model_alone_whichever_replica_gives_them(server: Process, mini: BioGPT) -> None:
    expected = mini.generate("Aspirin inhibits", max_new_tokens=12, eos_token_id=None).text

    def both_have_answered() -> bool:
        assert complete(server, request("Aspirin inhibits", 12)) == expected
        answered = measured(server, "biogpt_http_requests_total", handler="/v1/completions", status="200")
        return len(answered) == REPLICAS and all(answered.values())

    wait_for(both_have_answered, PATIENCE)


def test_keys_and_names_are_asked_for_as_ever(server: Process) -> None:
    assert server.ask("GET", "/v1/models")[0] == 401
    assert server.ask("GET", "/metrics")[0] == 401
    status, error = server.ask("GET", "/v1/models", Authorization=f"Bearer {KEY}", Host="elsewhere.example")
    assert (status, error["error"]["code"]) == (400, "host_not_allowed")
    assert server.ask("GET", "/ready")[0] == 200
    status, models = server.ask("GET", "/v1/models", Authorization=f"Bearer {KEY}")
    assert (status, models["data"][0]["id"]) == (200, "mini")


def test_what_other_machines_could_reach_asks_for_the_token(server: Process) -> None:
    """Ray Serve's replicas call each other at a port of all interfaces, which it lets nobody change."""
    grpc = pytest.importorskip("grpc")
    listening = set(listening_sockets(server))
    assert ("0100007F", server.port) in listening
    reachable = [port for address, port in listening if address not in LOOPBACK]
    assert len(reachable) <= REPLICAS + 1
    for port in reachable:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/ray.serve.ASGIService/HandleRequest")(b"", timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def listening_sockets(server: Process) -> Iterator[tuple[str, int]]:
    """The addresses, in the system's own form, and the ports at which the processes of a server listen."""
    files = {target for pid in (server.pid, *descendants(server.pid)) for target in open_files(pid)}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENING and f"socket:[{words[9]}]" in files:
                address, _, port = words[1].partition(":")
                yield address, int(port, 16)


def open_files(pid: int) -> list[str]:
    try:
        return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


def test_a_stream_comes_in_pieces_and_equals_the_answer_as_a_whole(server: Process) -> None:
    asked = request("Lithium caused", 48)
    stream = Stream(server, asked)
    stream.read_on()
    assert stream.is_done
    assert stream.text == complete(server, asked)
    assert len(stream.pieces) > 4


def test_a_client_that_leaves_frees_its_rows(server: Process) -> None:
    before = settled_tokens(server)
    stream = Stream(server, request(["Insulin is"] * ROWS, LONG))
    stream.leave()
    # Some came, or there would be no first piece; all of them would mean that nobody noticed.
    assert before < settled_tokens(server) < before + ROWS * LONG


def settled_tokens(server: Process) -> int:
    """The number of tokens that all replicas have generated, once it stays the same."""
    found = -1
    while found != (found := measured(server, "biogpt_generation_tokens_total").total()):
        # Twice the time in which each replica hears of the others.
        time.sleep(5)
    return found


def test_a_replica_that_is_killed_is_replaced_while_the_other_answers(server: Process, mini: BioGPT) -> None:
    short, long = request("Cisplatin", 8), request(["Insulin is"] * ROWS, LONG)
    expected, whole = complete(server, short), complete(server, long)
    assert expected == mini.generate("Cisplatin", max_new_tokens=8, eos_token_id=None).text
    processes_before, replicas_before = replicas_of(server), set(measured(server, "biogpt_num_requests_running"))
    assert (len(processes_before), len(replicas_before)) == (REPLICAS, REPLICAS)
    victim = min(processes_before)

    # They go to the replica that has less to do, so that each has one.
    streams = [Stream(server, long) for _ in range(REPLICAS)]
    os.kill(victim, signal.SIGKILL)
    for _ in range(20):
        assert complete(server, short) == expected
        assert server.ask("GET", "/ready")[0] == 200
    for stream in streams:
        stream.read_on()
    # A client can tell that a stream was cut off.
    assert sorted(stream.is_done for stream in streams) == [False, True]
    assert [stream.text == whole for stream in streams] == [stream.is_done for stream in streams]

    wait_for(lambda: len(replicas_of(server) - {victim}) == REPLICAS, PATIENCE)

    def is_answered_by_the_new_one() -> bool:
        assert complete(server, short) == expected
        answered = measured(server, "biogpt_http_requests_total", handler="/v1/completions", status="200")
        return any(answered[name] for name in set(answered) - replicas_before)

    wait_for(is_answered_by_the_new_one, PATIENCE)
