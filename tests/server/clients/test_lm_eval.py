"""lm-eval measures over the server what the library scores, to the last bit.

No tolerance is needed: both sum the same float32 numbers in the same order, JSON writes each with all its digits, and
an answer does not depend on what else is computed.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import biogpt_onnx
from makers.serving import Process

TASKS = Path(__file__).parent / "lm_eval_tasks"
QUESTIONS = json.loads((TASKS / "questions.json").read_text(encoding="utf-8"))
TEXTS = [text["text"] for text in json.loads((TASKS / "texts.json").read_text(encoding="utf-8"))]

pytestmark = pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed: make test-clients")

Samples = list[dict[str, Any]]


def evaluate(
    server: Process, folder: Path, settings: dict[str, object], *tasks: str
) -> tuple[dict[str, Samples], dict[str, Any]]:
    """Runs lm-eval's command as people do.

    Returns:
        The samples of each task in the order of its documents, and the results.
    """
    arguments: dict[str, object] = {
        "model": "mini",
        "base_url": f"{server.url}/v1/completions",
        "max_length": 1024,
    } | settings
    batch_size = arguments.pop("batch_size", 1)
    command = [
        *(sys.executable, "-m", "lm_eval", "--model", "local-completions"),
        *("--model_args", ",".join(f"{name}={value}" for name, value in arguments.items())),
        *("--tasks", ",".join(tasks), "--include_path", ".", "--output_path", str(folder), "--log_samples"),
        *("--batch_size", str(batch_size)),
    ]
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "cache")}
    done = subprocess.run(
        command, cwd=TASKS, env=os.environ | offline, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    samples = {}
    for task in tasks:
        (path,) = folder.rglob(f"samples_{task}_2*.jsonl")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        samples[task] = sorted(lines, key=lambda line: int(line["doc_id"]))
    (path,) = folder.rglob("results_*.json")
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return samples, results


def scored(mini: biogpt_onnx.BioGPT, ids: list[int], num_read: int) -> tuple[float, bool]:
    """The log-likelihood of ids behind the first of them, and whether greedy search would have taken each."""
    tokens = (mini.score_ids(ids, logprobs=1).logprobs or ())[num_read - 1 :]
    return sum(token.logprob for token in tokens), all(token.token_id == token.top[0].token_id for token in tokens)


def check_choices(mini: biogpt_onnx.BioGPT, samples: Samples, num_first: int) -> None:
    """Checks log-likelihoods and greedy flags of the questions' choices.

    Args:
        num_first: 1 if the context begins with `</s>`, 0 if not.
    """
    flags = []
    for question, sample in zip(QUESTIONS, samples, strict=True):
        read = mini.tokenizer.encode(question["question"])[1 - num_first :]
        for choice, ((found, is_greedy),) in zip(question["choices"], sample["resps"], strict=True):
            whole = mini.tokenizer.encode(f"{question['question']} {choice}")
            expected = scored(mini, whole[1 - num_first :], len(read))
            assert (float(found), is_greedy == "True") == expected
            if num_first:
                text = f"{question['question']} {choice}"
                assert float(found) == sum(mini.score(text).log_probabilities[len(read) - 1 :])
            flags.append(is_greedy)
    assert set(flags) == {"True", "False"}


def check_texts(mini: biogpt_onnx.BioGPT, samples: Samples, results: dict[str, Any]) -> None:
    for text, sample in zip(TEXTS, samples, strict=True):
        assert float(sample["resps"][0][0]) == sum(mini.score(text).log_probabilities)
    assert results["biogpt_texts"]["word_perplexity,none"] > 1


def test_log_likelihoods_are_those_of_score(server: Process, mini: biogpt_onnx.BioGPT, tmp_path: Path) -> None:
    tasks = ("biogpt_choices", "biogpt_choices_bare", "biogpt_texts", "biogpt_answers")
    samples, results = evaluate(server, tmp_path, {"tokenizer_backend": "remote"}, *tasks)
    check_choices(mini, samples["biogpt_choices"], 1)
    check_choices(mini, samples["biogpt_choices_bare"], 0)
    check_texts(mini, samples["biogpt_texts"], results)
    for question, sample in zip(QUESTIONS, samples["biogpt_answers"], strict=True):
        expected = mini.generate(question["question"], max_new_tokens=12, stop_strings=[" of", ".", "</s>"])
        assert sample["resps"][0][0] == expected.text


@pytest.mark.parametrize(
    "settings",
    [
        # Finds out by itself that the server tokenizes.
        {"num_concurrent": 4, "batch_size": 2},
        {"tokenizer_backend": "remote", "tokenized_requests": False, "batch_size": 3},
    ],
    ids=["several at once", "as texts"],
)
def test_they_do_not_depend_on_how_they_are_asked_for(
    server: Process, mini: biogpt_onnx.BioGPT, tmp_path: Path, settings: dict[str, object]
) -> None:
    samples, results = evaluate(server, tmp_path, settings, "biogpt_choices", "biogpt_texts")
    check_choices(mini, samples["biogpt_choices"], 1)
    check_texts(mini, samples["biogpt_texts"], results)


def test_ids_of_transformers_tokenizer(
    server: Process, mini: biogpt_onnx.BioGPT, mini_checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    settings = {"tokenizer_backend": "huggingface", "tokenizer": mini_checkpoint, "add_bos_token": True}
    samples, _ = evaluate(server, tmp_path, settings, "biogpt_choices_bare")
    check_choices(mini, samples["biogpt_choices_bare"], 1)
