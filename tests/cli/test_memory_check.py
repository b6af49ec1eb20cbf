"""Every command that loads a bundle can be told not to compare its memory with what there is."""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx import corpus
from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.cli import main
from biogpt_onnx.cli.commands import COMMANDS, load_command
from biogpt_onnx.cli.commands.corpus import estimate, work
from biogpt_onnx.corpus.cluster import actor
from biogpt_onnx.quantize.auto import automatic
from biogpt_onnx.quantize.calibration import cache_scales
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.scores import evaluation
from makers.corpora import documents, write_json_lines

OPTION = "--no-memory-check"
_LOAD_NOTHING = {"export", "info", "web", "corpus"}


class NotLoadedError(Exception):
    """Ends what would load a bundle, once it is known how."""


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - _LOAD_NOTHING))
def test_every_command_that_loads_a_bundle_has_the_option(name: str) -> None:
    parser = argparse.ArgumentParser()
    load_command(name).add_arguments(parser)
    assert OPTION in parser.format_help()


@pytest.mark.parametrize("command", [work, estimate])
def test_so_have_those_of_a_corpus(command: Any) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert OPTION in parser.format_help()


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize("name", ["evaluate", "quantize", "generate"])
def test_without_it_what_does_not_fit_is_refused_and_with_it_tried(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Aspirin inhibits platelets.\n", encoding="utf-8")
    arguments: dict[str, Sequence[object]] = {
        "evaluate": ["--baseline", tiny_bundle, "--text", text, "--prompts", "0"],
        "quantize": ["-o", tmp_path / "new", "--recipe", "int8", "--text", text, "--overwrite"],
        "generate": ["Aspirin", "--max-new-tokens", "1"],
    }
    command = [name, str(tiny_bundle), *map(str, arguments[name])]
    assert main(command) == 2
    assert "there is no room" in capsys.readouterr().err
    assert main([*command, OPTION]) < 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("more", [[], [OPTION]])
@pytest.mark.parametrize("where", [(cache_scales, "int8", "int8"), (automatic, "auto", "float32")])
def test_the_sessions_of_calibration_and_of_a_search_are_told(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str, str], more: list[str]
) -> None:
    module, recipe, cache = where
    found: list[LoadOptions] = []

    def note(*given: object, **_: object) -> None:
        found.extend(each for each in given if isinstance(each, LoadOptions))
        raise NotLoadedError

    monkeypatch.setattr(module, "WeightPool" if module is automatic else "DecoderSession", note)
    command = ["quantize", str(tiny_bundle), "-o", str(tmp_path / "new"), "--recipe", recipe, "--cache", cache]
    with pytest.raises(NotLoadedError):
        main([*command, *more])
    assert [each.check_memory for each in found] == [not more]


def test_the_bundles_of_an_evaluated_task_are_loaded_as_the_options_say(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(_: object, **given: object) -> None:
        assert (given["check_memory"], given["max_positions"]) == (False, 300)
        raise NotLoadedError

    monkeypatch.setattr(evaluation, "load", note)
    command = ["evaluate-task", str(mini_bundle), "--gold", str(tmp_path / "gold"), "--task", "bc5cdr"]
    with pytest.raises(NotLoadedError):
        main([*command, OPTION, "--max-positions", "300"])


@pytest.mark.parametrize("more", [[], [OPTION]])
@pytest.mark.parametrize("name", ["work", "estimate"])
def test_processes_of_a_corpus_are_told(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, more: list[str]
) -> None:
    found: list[Mapping[str, Any]] = []

    def note(orders: Sequence[Mapping[str, Any]]) -> None:
        found.extend(orders)
        raise NotLoadedError

    # The package has a function of the module's name.
    monkeypatch.setattr(import_module("biogpt_onnx.corpus.work"), "running_pool", note)
    corpus.prepare([write_json_lines(tmp_path / "documents.jsonl", documents(3))], tmp_path / "run", "bc5cdr")
    with pytest.raises(NotLoadedError):
        main(["corpus", name, str(tmp_path / "run"), str(mini_bundle), *more])
    assert {order["check_memory"] for order in found} == {not more}


def test_a_worker_of_a_cluster_loads_as_its_order_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(_: Path, **given: object) -> None:
        assert given["check_memory"] is False
        raise NotLoadedError

    monkeypatch.setattr(actor, "load", note)
    order = {
        "bundle": "bundle",
        "pin": False,
        "device": "cpu",
        "threads": 1,
        "share_weights": False,
        "expect": None,
        "check_memory": False,
    }
    with pytest.raises(NotLoadedError):
        actor.load_bundle(object(), order)  # type: ignore[arg-type] # a run is not read before


@pytest.mark.parametrize("more", [[], [OPTION]])
@pytest.mark.parametrize("name", ["bench", "advise"])
def test_the_measured_processes_are_told(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str, more: list[str]
) -> None:
    commands: list[Sequence[str]] = []

    def note(contender: Contender, *_: object) -> None:
        commands.append(contender.command(1))
        raise NotLoadedError

    monkeypatch.setattr("biogpt_onnx.bench.runner.run", lambda plan, *_, **__: note(plan.contenders[0]))
    monkeypatch.setattr("biogpt_onnx.bench.advice.advice.BundleSubject", note)
    with pytest.raises(NotLoadedError):
        main([name, str(mini_bundle), *more])
    assert [OPTION in command for command in commands] == [bool(more)]
