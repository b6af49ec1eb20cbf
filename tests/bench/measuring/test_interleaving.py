import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from biogpt_onnx.bench.measuring.interleaving import InterleavedMeasurement, ScenarioResult, Settings, random_prompts
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess
from biogpt_onnx.bench.scenarios import Scenario
from makers.contenders import NoProbe, fake_contender

SCENARIO = Scenario("tiny", prompt_tokens=20, new_tokens=4)
SETTINGS = Settings(min_runs=3, min_seconds=0.0)
CORES = tuple(sorted(os.sched_getaffinity(0)))[:1] if hasattr(os, "sched_getaffinity") else (0,)

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@pytest.fixture(autouse=True)
def small_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    # The limits of the machine are not what these tests are about, and a gigabyte takes its time.
    monkeypatch.setattr(InterleavedMeasurement, "_probe", lambda _: NoProbe())


def measure(tmp_path: Path, *behaviours: str, scenario: Scenario = SCENARIO, log: Path | None = None) -> ScenarioResult:
    contenders = [fake_contender(f"{number}-{word}", word, log) for number, word in enumerate(behaviours)]
    return InterleavedMeasurement(scenario, CORES, SETTINGS, tmp_path).measure(contenders)


def start(tmp_path: Path, behaviour: str = "steps") -> PinnedProcess:
    contender = fake_contender(behaviour=behaviour)
    return PinnedProcess(contender.command(1), CORES, tmp_path / "log")


def test_contenders_take_turns_and_the_first_round_is_not_counted(tmp_path: Path) -> None:
    log = tmp_path / "turns"
    found = measure(tmp_path, "steps", "steps", log=log)
    turns = [line.split()[:3] for line in log.read_text().splitlines()]
    # Woken by 16 tokens and 2 new ones, then measured.
    turn = [[["0-steps", "16", "2"], ["0-steps", "20", "4"]], [["1-steps", "16", "2"], ["1-steps", "20", "4"]]]
    assert turns == [request for _ in range(4) for each in turn for request in each]
    assert [result.status for result in found.results] == ["measured", "measured"]
    assert found.results[0].runs == [[0.1, 0.11, 0.12, 0.13]] * 3
    assert found.results[0].first_tokens is None
    assert found.results[0].memory["peak_resident_bytes"] == 2000
    assert len(found.bandwidths) == len(found.matmuls) == 4


def test_a_turn_lasts_its_share_of_the_least_seconds(tmp_path: Path) -> None:
    measurement = InterleavedMeasurement(SCENARIO, CORES, Settings(min_runs=2, min_seconds=0.1), tmp_path)
    (result,) = measurement.measure([fake_contender()]).results
    assert len(result.runs) > 2


def test_unseen_steps_are_found_by_a_second_generation(tmp_path: Path) -> None:
    (result,) = measure(tmp_path, "total").results
    assert result.runs == [[0.13]] * 3
    assert result.first_tokens == [0.1] * 3


def test_what_one_contender_cannot_do_does_not_stop_the_others(tmp_path: Path) -> None:
    beams = Scenario("beams", prompt_tokens=20, new_tokens=4, num_beams=5)
    words = ("no-beams", "fails", "dies", "short", "absent", "babbles", "steps")
    found = {result.contender.name[2:]: result for result in measure(tmp_path, *words, scenario=beams).results}
    assert (found["no-beams"].status, found["no-beams"].reason) == ("unsupported", "there are no beams")
    assert (found["fails"].status, found["fails"].reason) == ("failed", "the model fell over")
    assert found["dies"].reason == "it ended with 3 (a library complains)"
    assert found["short"].reason == "it answered 2 times for 4 new tokens"
    assert found["absent"].reason == "its library is missing"
    assert found["babbles"].reason == "it said 'Loading checkpoint shards', which is no JSON"
    assert found["steps"].status == "measured"
    assert all(not result.runs for name, result in found.items() if name != "steps")


def test_a_cold_start_is_a_process_each_time(tmp_path: Path) -> None:
    log = tmp_path / "turns"
    cold = Scenario("cold", "cold start", prompt_tokens=16, new_tokens=1)
    (result,) = measure(tmp_path, "steps", scenario=cold, log=log).results
    assert len(log.read_text().splitlines()) == 4
    assert [len(run) for run in result.runs] == [1, 1, 1]
    # Measured here, and not what the contender says of itself.
    assert result.runs[0][0] != 0.1


def test_what_loading_began_ends_before_the_first_turn_and_is_not_waited_for_at_a_cold_start(tmp_path: Path) -> None:
    warm_log, cold_log = tmp_path / "warm", tmp_path / "cold"
    measure(tmp_path, "settles", log=warm_log)
    assert [line.split()[1] for line in warm_log.read_text().splitlines()][:3] == ["settle", "16", "20"]
    assert warm_log.read_text().count("settle ") == 1
    measure(tmp_path, "settles", scenario=Scenario("cold", "cold start", prompt_tokens=16, new_tokens=1), log=cold_log)
    assert "settle " not in cold_log.read_text()


def test_a_contender_that_cannot_load_to_the_end_is_given_up(tmp_path: Path) -> None:
    (result,) = measure(tmp_path, "never settles").results
    assert (result.status, result.reason) == ("failed", "it still loads")


def test_a_missing_command_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="none cannot be started"):
        PinnedProcess([str(tmp_path / "none")], CORES, tmp_path / "log")


def test_a_contender_that_hangs_is_given_up(tmp_path: Path) -> None:
    command = fake_contender(behaviour="hangs").command(1)
    with PinnedProcess(command, CORES, tmp_path / "log") as process:
        process._patience = 0.2  # Python has started by now
        request = {"generate": {"prompts": [[2]], "new_tokens": 1, "num_beams": 1}}
        with pytest.raises(ContenderError, match=r"did not answer within 0\.2 seconds"):
            process.ask(request)


@on_linux
def test_a_process_is_pinned_and_the_benchmark_is_not(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with start(tmp_path) as process:
        assert process.hello["cores"] == list(CORES)
    assert os.sched_getaffinity(0) == before


def state_of(process_id: int) -> str:
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(process_id: int, states: str) -> None:
    for _ in range(1000):
        if state_of(process_id) in states:
            return
        time.sleep(0.01)
    raise AssertionError(state_of(process_id))


@on_linux
def test_who_waits_stands_still_and_goes_on(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        process.halt()
        wait_for(process.process_id, "T")
        process.resume()
        wait_for(process.process_id, "RS")
        assert process.ask({"memory": {}})["resident_bytes"] == 1000


@on_linux
def test_a_halted_process_is_ended_with_the_block(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        process.halt()
    assert not Path(f"/proc/{process.process_id}").exists()


@on_linux
def test_a_halted_process_does_not_outlive_a_killed_benchmark(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from biogpt_onnx.bench.measuring.process import PinnedProcess\n"
        "from makers.contenders import fake_contender\n"
        "process = PinnedProcess(fake_contender().command(1), [int(sys.argv[1])], Path(sys.argv[2]))\n"
        "process.halt()\n"
        "state = Path(f'/proc/{process.process_id}/stat')\n"
        # A signal takes a moment, and the system looks only after what has halted by then.
        "while state.read_text().rpartition(')')[2].split()[0] != 'T':\n"
        "    pass\n"
        "print(process.process_id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program, str(CORES[0]), str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, start_new_session=True)
    assert done.returncode == -signal.SIGKILL
    process_id = int(done.stdout)
    for _ in range(1000):
        if not Path(f"/proc/{process_id}").exists() or state_of(process_id) == "Z":
            return
        time.sleep(0.01)
    os.kill(process_id, signal.SIGKILL)
    raise AssertionError("the process was left behind")


def test_prompts_begin_as_biogpt_reads_them_and_are_the_same_each_time() -> None:
    prompts = random_prompts(3, 7, 50)
    assert prompts == random_prompts(3, 7, 50)
    assert [len(ids) for ids in prompts] == [7, 7, 7]
    assert all(ids[0] == 2 and all(4 <= each < 50 for each in ids[1:]) for ids in prompts)
    assert prompts[0] != prompts[1]
