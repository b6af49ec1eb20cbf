"""Texts of the page's model under Node beside Python's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from makers.web import SETTINGS, answer

LONG = " ".join(["The patient was treated with aspirin, and the pain went away."] * 12)
ASKED: tuple[dict[str, Any], ...] = (
    {"prompt": "The patient was treated with"},
    {"prompt": "COVID-19 is caused by", "repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "max_new_tokens": 40},
    {"prompt": "", "max_new_tokens": 1},
    {"prompt": "The “aim” of this study", "normalize_punctuation": True},
    {"prompt": LONG, "max_new_tokens": 5},
    {"prompt": "The patient was treated with", "stop_strings": ["dose", "patient"], "max_new_tokens": 40},
    {"prompt": "Ends before it began: do", "stop_strings": ["dose", "do no such thing"], "max_new_tokens": 40},
    {
        "prompt": "The aim of this study was to",
        "do_sample": True,
        "seed": 5,
        "max_new_tokens": 40,
        "min_new_tokens": 20,
    },
    {"prompt": "Aspirin", "do_sample": True, "seed": 7, "temperature": 0.8, "top_p": 0.9, "max_new_tokens": 30},
)
PROMPTS = ("The patient was treated with", "COVID-19 is caused by", "The aim of this study was to")
SHORTFALL = {"int8": 0.3, "int4": 1.0}
"""The most by which a token's logit may be below the best in Python: chosen so that a wrong kernel shows."""


def split(each: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the prompt and the settings."""
    return each["prompt"], {name: value for name, value in each.items() if name != "prompt"}


def on_the_page(modules: Path, site: Path, asked: Sequence[dict[str, Any]], threads: int = 1) -> list[dict[str, Any]]:
    prompts = [{"prompt": prompt, "settings": {**SETTINGS, **settings}} for prompt, settings in map(split, asked)]
    found: list[dict[str, Any]] = answer(modules, "generation", site=site, prompts=prompts, threads=threads)["answers"]
    return found


def in_python(bundle: Path, asked: Sequence[dict[str, Any]]) -> list[tuple[list[int], str, str]]:
    with biogpt_onnx.load(bundle, threads=1) as model:
        answers = [
            model.generate(prompt, **{"max_new_tokens": 12, **settings}) for prompt, settings in map(split, asked)
        ]
    return [(list(found.token_ids), found.text, found.finish_reason) for found in answers]


@pytest.mark.parametrize("threads", [1, 2])
def test_tokens_texts_and_ends_are_those_of_python(
    modules: Path, bundles: dict[str, Path], sites: dict[str, Path], threads: int
) -> None:
    found = on_the_page(modules, sites["fp32"], ASKED, threads)
    written = [(each["tokenIds"], each["text"], each["finishReason"]) for each in found]
    assert written == in_python(bundles["fp32"], ASKED)
    assert {reason for _, _, reason in written} >= {"length", "stop"}


@pytest.mark.parametrize("recipe", list(SHORTFALL))
def test_quantized_bundles_write_tokens_that_are_as_likely_in_python(
    modules: Path, bundles: dict[str, Path], sites: dict[str, Path], recipe: str
) -> None:
    asked = [{"prompt": prompt, "max_new_tokens": 40} for prompt in PROMPTS]
    found = on_the_page(modules, sites[recipe], asked)
    with biogpt_onnx.load(bundles[recipe], threads=1) as model:
        for prompt, each in zip(PROMPTS, found, strict=True):
            ids = model.tokenizer.encode(prompt)
            logits = model.logits([*ids, *each["tokenIds"]])[len(ids) - 1 : -1]
            chosen = logits[np.arange(len(logits)), each["tokenIds"]]
            assert np.max(logits.max(axis=-1) - chosen) <= SHORTFALL[recipe]
            assert each["tokenIds"][0] == int(logits[0].argmax())


def test_a_prompt_that_does_not_fit_is_an_error_at_once(modules: Path, sites: dict[str, Path]) -> None:
    asked = [{"prompt": prompt} for prompt in ("aspirin " * 2000, "x" * 3_000_000, "Aspirin")]
    long, one_word, short = on_the_page(modules, sites["int8"], asked)
    assert (
        long["error"] == one_word["error"] == "the prompt has more tokens than the model's 1024 positions: shorten it"
    )
    assert len(short["tokenIds"]) == SETTINGS["max_new_tokens"]


def test_a_text_ends_with_the_positions(modules: Path, bundles: dict[str, Path], sites: dict[str, Path]) -> None:
    asked = [{"prompt": "aspirin " * 1020, "max_new_tokens": 100}]
    (found,) = on_the_page(modules, sites["fp32"], asked)
    assert [(found["tokenIds"], found["text"], found["finishReason"])] == in_python(bundles["fp32"], asked)
