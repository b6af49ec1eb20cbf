"""The published weights' own words, known from the tests of transformers; BIOGPT_CHECKPOINT names their folder."""

import os
from pathlib import Path

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle

pytestmark = [
    pytest.mark.real_weights,
    pytest.mark.skipif("BIOGPT_CHECKPOINT" not in os.environ, reason="BIOGPT_CHECKPOINT does not name the weights"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> biogpt_onnx.BioGPT:
    target = tmp_path_factory.mktemp("real") / "biogpt"
    export_bundle(open_checkpoint(os.environ["BIOGPT_CHECKPOINT"]), target)
    return biogpt_onnx.load(Path(target))


def test_the_logits_are_the_known_ones(model: biogpt_onnx.BioGPT) -> None:
    ids = [2, 4805, 9, 656, 21]
    assert model.tokenizer.encode("COVID-19 is") == ids
    expected = [[-9.5236, -9.8918, 10.4557], [-11.0469, -9.6423, 8.1022], [-8.8664, -7.8826, 5.5325]]
    np.testing.assert_allclose(model.logits(ids)[:3, :3], expected, atol=1e-4)


def test_a_greedy_batch_says_what_it_is_known_to_say(model: biogpt_onnx.BioGPT) -> None:
    prompts = ["Hello, my dog is a little", "Today, I"]
    answers = model.generate(prompts, max_new_tokens=10)
    known = [
        "Hello, my dog is a little bit bigger than a little bit.",
        "Today, I have a good idea of how to use the information",
    ]
    for prompt, answer, text in zip(prompts, answers, known, strict=True):
        written = prompt + answer.text
        assert written.startswith(text) or text.startswith(written)


def test_five_beams_say_what_they_are_known_to_say(model: biogpt_onnx.BioGPT) -> None:
    prompt = "COVID-19 is"
    # The known text was made with at least 100 tokens, the 5 of the prompt included.
    answer = model.generate(prompt, num_beams=5, min_new_tokens=95, max_new_tokens=1019, early_stopping=True)
    assert (prompt + answer.text).startswith(
        "COVID-19 is a global pandemic caused by severe acute respiratory syndrome coronavirus 2 (SARS-CoV-2), the "
        "causative agent of coronavirus disease 2019 (COVID-19), which has spread to more than 200 countries and "
        "territories"
    )
