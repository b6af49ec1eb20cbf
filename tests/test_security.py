"""What docs/security.md promises of every way to use a model, where no other test holds it."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from biogpt_onnx import BioGPT, PromptError, tasks
from biogpt_onnx.cli import main

PATIENT = "Zebedee"
PROMPT = f"{PATIENT} was given lithium"
DOCUMENT = tasks.Document(f"{PROMPT} and had tremor.", question=f"did {PATIENT} have tremor?")


def use_it_in_every_way(model: BioGPT) -> None:
    model.generate([PROMPT, PROMPT], max_new_tokens=2)
    model.generate(PROMPT, max_new_tokens=2, num_beams=2)
    model.generate(PROMPT, max_new_tokens=2, prompt_lookup_num_tokens=2)
    model.choose(model.prefix(PROMPT), ["tremor", "fever"])
    model.score(PROMPT)
    list(model.stream(PROMPT, max_new_tokens=2))
    tasks.run(tasks.BC5CDR, model, [DOCUMENT])
    tasks.run(tasks.PUBMEDQA, model, [DOCUMENT])


def test_prompts_and_documents_are_logged_nowhere(
    mini: BioGPT, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.NOTSET):
        use_it_in_every_way(mini)
    printed = capfd.readouterr()
    assert (printed.out, printed.err, caplog.text) == ("", "", "")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda model: model.generate(PROMPT * 500),
        lambda model: model.generate([PROMPT, PROMPT.encode()]),
        lambda model: model.score(PROMPT * 500),
        lambda model: tasks.run(tasks.BC5CDR, model, [tasks.Document(PROMPT * 500)]),
        lambda model: tasks.run(tasks.PUBMEDQA, model, [tasks.Document(PROMPT)]),
    ],
)
def test_an_error_does_not_quote_the_prompt(mini: BioGPT, misuse: Callable[[BioGPT], object]) -> None:
    with pytest.raises(PromptError) as caught:
        misuse(mini)
    assert PATIENT not in str(caught.value)


def test_a_bad_row_of_a_file_is_named_without_its_words(
    mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        f'{{"text": "{PATIENT}"\n{{"note": "{PATIENT}"}}\n{{"text": ["{PATIENT}"]}}\n{{"text": "Ataxia."}}\n'
    )
    main(["relations", str(mini_bundle), str(rows), "--task", "bc5cdr"])
    printed = capsys.readouterr()
    assert printed.out.count('"error"') == 3
    assert PATIENT not in printed.out + printed.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pubtator", f"1|t|{PATIENT} had tremor.\n{PATIENT}\twas given\tlithium\n"),
        ("a.pubtator", f"1|t|Tremor.\n1\t0\t{PATIENT}\t{PATIENT}\tChemical\n"),
        ("a.pubtator", f"1|t|Tremor.\n1\t0\t3\t{PATIENT}\tChemical\n"),
        ("a.json", f'{{"passages": [{{"offset": "{PATIENT}", "text": "{PATIENT}"}}]}}'),
        ("a.json", f'{{"documents": [{{"id": "{PATIENT}",, "passages": ["{PATIENT}"]}}]}}'),
        ("a.jsonl", f'{{"text": "{PATIENT}", "entities": [{{"text": "{PATIENT}", "span": ["{PATIENT}"]}}]}}\n'),
    ],
)
def test_a_bad_annotation_is_named_without_its_words(
    name: str, content: str, mini_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert main(["relations", str(mini_bundle), str(path), "--task", "bc5cdr", "--given-entities"]) > 0
    printed = capsys.readouterr()
    assert PATIENT not in printed.out + printed.err


def test_a_model_in_use_opens_no_connection(mini: BioGPT, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*address: object, **_: object) -> None:
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    use_it_in_every_way(mini)
    assert asked == []
