"""Commands that are told which bundle to expect, and `info`, which says it."""

import json
import shutil
from pathlib import Path

import pytest

from biogpt_onnx import corpus
from biogpt_onnx.cli import main
from biogpt_onnx.cli.commands import COMMANDS
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, WEIGHTS_FILE
from biogpt_onnx.runtime.bundle.digest import bundle_digest
from makers.corpora import documents, write_json_lines

_WITHOUT_A_BUNDLE = {"export", "corpus"}


@pytest.fixture
def altered(mini_bundle: Path, tmp_path: Path) -> Path:
    """A bundle of which one bit of the weights is not as it was written."""
    folder = Path(shutil.copytree(mini_bundle, tmp_path / "altered"))
    with (folder / WEIGHTS_FILE).open("r+b") as file:
        file.seek(5_000)
        file.write(bytes([file.read(1)[0] ^ 1]))
    return folder


def arguments(command: str, bundle: Path, tmp_path: Path) -> list[str]:
    text = tmp_path / "text.txt"
    text.write_text("Aspirin inhibits platelets.\n", encoding="utf-8")
    more: dict[str, list[object]] = {
        "generate": [bundle, "Aspirin"],
        "verify": [bundle, "--against", tmp_path],
        "quantize": [bundle, "-o", tmp_path / "new", "--recipe", "int8"],
        "evaluate": [bundle, "--baseline", bundle, "--text", text],
        "evaluate-task": [bundle, "--gold", text, "--task", "bc5cdr"],
        "relations": [bundle, text, "--task", "bc5cdr"],
        "ask": [bundle, text, "--question", "Is it?"],
        "classify": [bundle, text, "--task", "hoc"],
        "describe": [bundle, text],
        "embed": [bundle, text],
        "tag": [bundle, text],
        "serve": [bundle, "--port", "0"],
        "info": [bundle],
        "advise": [bundle],
        "bench": [bundle],
        "web": [bundle, "-o", tmp_path / "new"],
    }
    return [command, *map(str, more[command])]


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - _WITHOUT_A_BUNDLE))
def test_every_command_refuses_altered_weights_under_the_expected_manifest(
    altered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    digest = bundle_digest(altered)
    assert main([*arguments(command, altered, tmp_path), "--expect", digest]) == 2
    said = capsys.readouterr()
    assert f"{WEIGHTS_FILE} is altered" in said.err
    assert said.out == ""
    assert not (tmp_path / "new").exists()


def test_every_worker_of_a_corpus_run_is_held_to_the_digest(
    mini_bundle: Path, altered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.prepare([write_json_lines(tmp_path / "documents.jsonl", documents(3))], tmp_path / "run", "bc5cdr")
    command = ["corpus", "work", str(tmp_path / "run")]
    assert main([*command, str(altered), "--expect", bundle_digest(mini_bundle)]) == 2
    assert f"{WEIGHTS_FILE} is altered" in capsys.readouterr().err
    assert main([*command, str(mini_bundle), "--expect", bundle_digest(mini_bundle), "--workers", "1"]) == 0


@pytest.mark.parametrize("command", ["advise", "bench"])
def test_each_of_several_bundles_is_held_to_its_own_digest(
    mini_bundle: Path, altered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    other = Path(shutil.copytree(mini_bundle, tmp_path / "other"))
    with (other / MANIFEST_FILE).open("ab") as file:
        file.write(b"\n")
    first, second = bundle_digest(mini_bundle), bundle_digest(other)
    for bundles, digests, says in (
        ((mini_bundle, other), (second, first), "is another bundle than expected"),
        ((mini_bundle, altered), (first, first), f"{WEIGHTS_FILE} is altered"),
        ((mini_bundle, other), (first,), "--expect has 1 digests and there are 2 bundles: give one for each"),
        ((mini_bundle,), (first, second), "--expect has 2 digests and there are 1 bundles: give one for each"),
    ):
        assert main([command, *map(str, bundles), "--expect", *digests]) == 2
        said = capsys.readouterr()
        assert says in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)


def test_expected_bundles_are_measured(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = bundle_digest(mini_bundle)
    assert main(["advise", str(mini_bundle), "--threads", "1", "--seconds", "0", "--expect", digest]) == 0
    assert main(["bench", "--list", "--expect", digest]) == 0
    words = ["bench", str(mini_bundle), "--scenario", "p16-n32", "--min-runs", "1", "--min-seconds", "0"]
    assert main([*words, "--expect", digest]) == 0
    assert capsys.readouterr().err == ""


def test_a_corpus_is_estimated_with_the_expected_bundle_alone(
    mini_bundle: Path, altered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.prepare([write_json_lines(tmp_path / "documents.jsonl", documents(3))], tmp_path / "run", "bc5cdr")
    digest = bundle_digest(mini_bundle)
    for words, says in (
        ([str(altered)], f"error: {altered}: {WEIGHTS_FILE} is altered"),
        ([], "error: a digest is expected of a bundle, and none is measured"),
        ([str(mini_bundle), "--speed", "1"], "error: a digest is expected of a bundle, and none is measured"),
    ):
        assert main(["corpus", "estimate", str(tmp_path / "run"), *words, "--expect", digest]) == 2
        said = capsys.readouterr()
        assert said.err.startswith(says)
        assert (said.out, said.err.count("\n")) == ("", 1)
    words = [str(mini_bundle), "--sample", "3", "--node-workers", "1", "--threads", "1"]
    assert main(["corpus", "estimate", str(tmp_path / "run"), *words, "--expect", digest]) == 0


def test_a_mistyped_digest_is_bad_usage(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["generate", str(mini_bundle), "Aspirin", "--expect", "sha256:12"])
    assert ended.value.code == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_info_says_the_digest_in_words_and_in_json(mini_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = bundle_digest(mini_bundle)
    assert main(["info", str(mini_bundle), "--expect", digest]) == 0
    said = capsys.readouterr().out
    assert digest in said
    assert "every byte is as expected" in said
    assert main(["info", str(mini_bundle), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("digest") == digest
    assert shown == json.loads((mini_bundle / MANIFEST_FILE).read_text(encoding="utf-8"))
