import http.client
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.bundle import read_manifest

EXAMPLES = Path(__file__).parents[1] / "examples"

Run = Callable[..., list[str]]
"""Runs an example as a program and returns the lines that it prints, those of its errors where it is to fail."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_example(name: str, *arguments: str | Path, exit_code: int | None = None) -> list[str]:
        script = EXAMPLES / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        if exit_code is None:
            runpy.run_path(str(script), run_name="__main__")
        else:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(script), run_name="__main__")
            assert ended.value.code == exit_code
        printed = capsys.readouterr()
        return (printed.err if exit_code else printed.out).splitlines()

    return run_example


Start = Callable[..., "subprocess.Popen[str]"]
"""Starts an example as a program of its own, which goes on until the test ends."""


@pytest.fixture
def start() -> Iterator[Start]:
    programs: list[subprocess.Popen[str]] = []

    def start_example(name: str, *arguments: str | Path) -> "subprocess.Popen[str]":
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
        programs.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return programs[-1]

    yield start_example
    for program in programs:
        program.kill()
        program.communicate()


def parts_of(pattern: str, line: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, line)
    assert found is not None, line
    return found.groups()


def test_every_example_is_run_by_a_test_and_named_in_their_readme() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names
    assert names == set(re.findall(r'(?:run|start)\("(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert names == set(re.findall(r"\]\((\w+)\.py\)", (EXAMPLES / "README.md").read_text(encoding="utf-8")))


def test_generate_prints_an_answer_to_each_prompt(run: Run, mini_bundle: Path, mini: BioGPT) -> None:
    lines = run("generate", mini_bundle)
    prompts = ["The patient was treated with", "Cisplatin-induced nephrotoxicity is", "The aim of this study was to"]
    for prompt, text, about in zip(prompts, lines[::2], lines[1::2], strict=True):
        answer = mini.generate(prompt, max_new_tokens=32, stop_strings=["."], no_repeat_ngram_size=3)
        assert text == prompt + answer.text
        assert len(answer.text) > 1
        num_tokens, probability, reason = parts_of(r" +(\d+) tokens, mean probability (0\.\d+), ended by (\w+)", about)
        assert (int(num_tokens), reason) == (len(answer.token_ids), answer.finish_reason)
        assert float(probability) > 0


def test_stream_prints_what_generate_gives(run: Run, mini_bundle: Path, mini: BioGPT) -> None:
    text, about = run("stream", mini_bundle, "Aspirin inhibits")
    expected = mini.generate("Aspirin inhibits", max_new_tokens=48, no_repeat_ngram_size=3).text
    assert text == "Aspirin inhibits" + expected
    assert re.fullmatch(r"first token after [\d.]+ ms, then one every [\d.]+ ms", about)


def test_the_endpoint_writes_texts_and_ends_that_of_a_client_who_leaves(
    start: Start, mini_bundle: Path, mini: BioGPT
) -> None:
    program = start("async_endpoint", mini_bundle, "--port", "0", "--texts-at-once", "1")
    assert program.stdout is not None
    address = urlsplit(program.stdout.readline().removeprefix("listening on "))
    assert address.port

    def get(query: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
        connection.request("GET", f"/?{query}")
        response = connection.getresponse()
        return response.status, response.read().decode()

    expected = mini.generate("Aspirin inhibits", max_new_tokens=12, no_repeat_ngram_size=3)
    assert get("prompt=Aspirin+inhibits&max_new_tokens=12") == (200, expected.text)
    assert program.stdout.readline() == f"{len(expected.token_ids)} tokens, ended by {expected.finish_reason}\n"
    status, text = get("prompt=Aspirin&max_new_tokens=many")
    assert (status, text.split()[0]) == (400, "max_new_tokens")

    whole = mini.generate("The aim of this study was to", max_new_tokens=900, no_repeat_ngram_size=3)
    with socket.create_connection(("127.0.0.1", address.port), timeout=60) as client:
        client.sendall(b"GET /?prompt=The+aim+of+this+study+was+to&max_new_tokens=900 HTTP/1.1\r\n\r\n")
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    num_tokens, reason = parts_of(r"(\d+) tokens, ended by (\w+)\n", program.stdout.readline())
    assert reason == "cancelled"
    assert int(num_tokens) < len(whole.token_ids)
    assert get("prompt=Aspirin+inhibits&max_new_tokens=12") == (200, expected.text)

    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert (program.returncode, errors) == (0, "")


@pytest.fixture
def server(mini_bundle: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server of the embedded checkpoint, and a file with the key that it wants."""
    for name in ("starlette", "uvicorn", "h11", "prometheus_client"):
        pytest.importorskip(name)
    key_file = tmp_path / "key"
    key_file.touch(mode=0o600)
    key_file.write_text("a-key-of-this-test-alone\n", encoding="utf-8")
    options = ["--port", "0", "--api-key-file", str(key_file), "--threads", "1"]
    command = [sys.executable, "-m", "biogpt_onnx", "serve", str(mini_bundle), *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stderr is not None
        # The server says where it listens; lines before it may warn of the machine.
        found = (re.search(r"http://\S+:\d+", line) for line in program.stderr)
        yield next(match[0] for match in found if match), key_file
        program.terminate()
        program.communicate(timeout=60)
        assert program.returncode == 0


def test_client_prints_what_the_server_streams(run: Run, mini: BioGPT, server: tuple[str, Path]) -> None:
    url, key_file = server
    text, about = run("client", "Aspirin inhibits", "--url", url, "--key-file", key_file)
    expected = mini.generate("Aspirin inhibits", max_new_tokens=48, no_repeat_ngram_size=3)
    assert text == "Aspirin inhibits" + expected.text
    reason = {"eos": "stop", "length": "length"}[expected.finish_reason]
    assert about == f"{len(expected.token_ids)} tokens, ended by {reason}"


def test_client_says_what_the_server_refuses(
    run: Run, server: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"error: a valid key is missing.* \(status 401\)"):
        run("client", "Aspirin inhibits", "--url", server[0])
    assert capsys.readouterr().out == ""


def test_beams_prints_different_texts_the_best_first(run: Run, mini_bundle: Path) -> None:
    rows = [line.split(maxsplit=2) for line in run("beams", mini_bundle, "Aspirin inhibits")]
    assert [rank for rank, _, _ in rows] == ["1.", "2.", "3."]
    scores = [float(score) for _, score, _ in rows]
    assert scores == sorted(scores, reverse=True)
    texts = {text for _, _, text in rows}
    assert len(texts) == 3
    assert all(text.startswith("Aspirin inhibits ") for text in texts)


def test_choose_prints_the_choices_by_their_probability(run: Run, mini_bundle: Path, mini: BioGPT) -> None:
    prompt, *rows = run("choose", mini_bundle)
    shares = {text: float(share.rstrip("%")) for share, text in (row.strip().split("%  ") for row in rows)}
    assert set(shares) == {"bleeding", "hypotension", "seizures", "hair loss"}
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert sum(shares.values()) == pytest.approx(100, abs=0.2)
    assert next(iter(shares)) == mini.choose(prompt.removesuffix(" ..."), list(shares)).best.text


def test_top_tokens_prints_the_likeliest_tokens_at_each_place(run: Run, mini_bundle: Path, mini: BioGPT) -> None:
    rows = [parts_of(r"([ *]) '(.*?)' +([\d.]+)%   (.+)", line) for line in run("top_tokens", mini_bundle)]
    answer = mini.generate("The patient was treated with", max_new_tokens=12)
    assert [text for _, text, _, _ in rows] == [mini.tokenizer.token_text(token) for token in answer.token_ids]
    for mark, text, share, likely in rows:
        shares = [float(each) for each in re.findall(r"([\d.]+)%", likely)]
        assert shares == sorted(shares, reverse=True)
        assert (mark, len(shares), float(share)) == (" ", 3, shares[0])
        assert likely.startswith(f"'{text}' ")


def test_top_tokens_marks_what_the_model_would_not_have_written(run: Run, mini_bundle: Path, mini: BioGPT) -> None:
    text = "Aspirin inhibits platelet aggregation."
    lines = run("top_tokens", mini_bundle, "--text", text, "--top", "1")
    logprobs = mini.score(text, logprobs=1).logprobs
    assert logprobs is not None
    assert [line[0] == "*" for line in lines] == [token.token_id != token.top[0].token_id for token in logprobs]
    assert any(line[0] == "*" for line in lines)


def test_relations_prints_words_that_stand_in_the_document(run: Run, mini_bundle: Path) -> None:
    parts = [
        line.split("|", 2)
        for line in (EXAMPLES / "documents.pubtator").read_text(encoding="utf-8").splitlines()
        if line
    ]
    full_texts: dict[str, list[str]] = {}
    for document_id, _, text in parts:
        full_texts.setdefault(document_id, []).append(text)
    lines = run("relations", mini_bundle)
    assert {line.partition(":")[0] for line in lines} == set(full_texts)
    for line in lines:
        document_id, head, head_start, head_end, tail, tail_start, tail_end, _ = parts_of(
            r"(\w+): (.+) \[(\d+):(\d+)\] induces (.+) \[(\d+):(\d+)\], (-\d+\.\d+)", line
        )
        full_text = " ".join(full_texts[document_id])
        assert full_text[int(head_start) : int(head_end)] == head
        assert full_text[int(tail_start) : int(tail_end)] == tail
        assert head != tail


def test_relations_names_a_bad_row_and_goes_on(run: Run, mini_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "mixed.pubtator"
    path.write_text("1|t|Title\nno part of a document\n\n2|t|Seizures by cocaine\n2|a|Cocaine caused seizures.\n")
    bad, good = run("relations", mini_bundle, path)
    assert bad.startswith("line 1: line 2 is neither a title nor an abstract")
    assert good.startswith("2: ")


def test_samples_gives_each_prompt_its_samples_and_a_bad_one_its_error(
    run: Run, mini_bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("Aspirin inhibits\n\n" + "the " * 2000 + "\nLithium\n", encoding="utf-8")
    first, bad, last = map(json.loads, run("samples", mini_bundle, path, "--max-new-tokens", 4))
    assert [first["prompt"], last["prompt"]] == ["Aspirin inhibits", "Lithium"]
    assert len(first["samples"]) == len(last["samples"]) == 4
    assert len(set(first["samples"])) > 1
    assert bad["error"].startswith("a prompt has 2,")


def test_samples_makes_two_hundred_prompts(run: Run, mini_bundle: Path) -> None:
    lines = run("samples", mini_bundle, "--samples", 1, "--max-new-tokens", 1)
    assert len({json.loads(line)["prompt"] for line in lines}) == 200


def test_data_frame_to_parquet_writes_relations_and_names_rows_without_a_text(
    run: Run, mini_bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    table, output = tmp_path / "abstracts.csv", tmp_path / "relations.parquet"
    table.write_text(
        "pmid,title,abstract\n7,,Lithium caused tremor in two patients.\n8,A title alone,\n"
        "9,Seizures by cocaine,Cocaine caused seizures.\n",
        encoding="utf-8",
    )
    assert run("data_frame_to_parquet", mini_bundle, table, output) == ["8: the document is empty: give it a text"]
    rows = parquet.read_table(output).to_pylist()
    texts = {"7": "Lithium caused tremor in two patients.", "9": "Seizures by cocaine Cocaine caused seizures."}
    assert {row["pmid"] for row in rows} <= set(texts)
    assert rows
    for row in rows:
        assert texts[row["pmid"]][row["head_start"] : row["head_end"]] == row["head"]
        assert row["score"] < 0


def test_own_task_answers_with_one_of_its_labels(run: Run, mini_bundle: Path) -> None:
    rows = [re.split(" {2,}", line) for line in run("own_task", mini_bundle)]
    assert [text for _, _, text in rows] == [
        "Male Wistar rats were given cisplatin for five days.",
        "Twenty children with epilepsy were given valproate.",
    ]
    for label, share, _ in rows:
        assert label in {"adults", "children", "rats"}
        assert 100 / 3 < float(share.rstrip("%")) <= 100


def test_evaluate_own_task_marks_what_is_true_and_scores_it(run: Run, mini_bundle: Path) -> None:
    lines = run("evaluate_own_task", mini_bundle)
    place = lines.index("# causes")
    marks = [parts_of(r"([+-]) (a\d): (.+) cause (.+), (-\d+\.\d+)", line)[0] for line in lines[:place]]
    (counted,) = (line for line in lines if "relations predicted" in line)
    said, true, both, _ = parts_of(r"(\d+) relations predicted, (\d+) true, (\d+) both(.+)", counted)
    assert (int(said), int(true), int(both)) == (len(marks), 2, marks.count("+"))
    rows = [line.split(" | ")[0] for line in lines if line.startswith("| the model")]
    assert rows == ["| the model", "| the model, exact places"]


def test_own_checkpoint_makes_a_smaller_bundle_and_says_what_it_costs(
    run: Run, mini_checkpoint: Path, tmp_path: Path
) -> None:
    bundles = tmp_path / "bundles"
    lines = run("own_checkpoint", mini_checkpoint, bundles, exit_code=0)
    exported, smaller = (read_manifest(bundles / name) for name in ("fp32", "int8"))
    assert (exported.precision, smaller.precision) == ("fp32", "int8")
    assert smaller.num_bytes < exported.num_bytes / 3
    documents = (EXAMPLES / "abstracts.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(f"text        {len(documents)} documents, ") for line in lines)
    assert re.fullmatch(r"PASS: perplexity increase [+-]\d\.\d+%, allowed 0\.500%.*", lines[-1])


def test_own_checkpoint_says_what_is_wrong_in_one_line(run: Run, tmp_path: Path) -> None:
    (line,) = run("own_checkpoint", tmp_path, tmp_path / "bundles", exit_code=2)
    assert line.startswith(f"error: {tmp_path}")
    assert not (tmp_path / "bundles").exists()
