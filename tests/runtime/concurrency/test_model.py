import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from biogpt_onnx import BioGPT, ConfigError, GenerationConfig, ModelClosedError, PassReport
from biogpt_onnx.tasks import BC5CDR, Document, run

LONG = " ".join(["The patient was given lithium and had a tremor."] * 20)
PROMPTS = ["Aspirin inhibits", "The patient was treated with", "Insulin", LONG]


@pytest.fixture(scope="module")
def shared(mini: BioGPT) -> Iterator[Any]:
    with mini.concurrent(max_rows=3) as model:
        yield model


CALLS: list[Callable[[BioGPT], object]] = [
    *(lambda model, prompt=prompt: model.generate(prompt, max_new_tokens=12).sequences for prompt in PROMPTS),
    lambda model: model.generate(PROMPTS, max_new_tokens=9)[2].token_ids,
    lambda model: model.generate("Insulin", do_sample=True, seed=4, num_return_sequences=3, max_new_tokens=9).sequences,
    lambda model: model.generate(LONG, num_beams=3, max_new_tokens=6).sequences,
    lambda model: model.generate("Aspirin", prompt_lookup_num_tokens=3, max_new_tokens=14).token_ids,
    lambda model: "".join(model.stream("Aspirin inhibits", max_new_tokens=12)),
    lambda model: model.generate("The answer is", allowed=["yes", "no"]).text,
    lambda model: model.choose("Aspirin is", ["a drug", "a disease"]).best,
    lambda model: model.score("Aspirin inhibits platelets.", logprobs=2).logprobs,
    lambda model: model.score_ids([2, 30, 40, 50], logprobs=2),
    lambda model: model.embed("Aspirin inhibits platelets.").tolist(),
    lambda model: model.logits([2, 30, 40]).tolist(),
    lambda model: run(BC5CDR, model, [Document("Two patients given lithium had tremor.")])[0].text,
    lambda model: model.generate(model.prefix("Aspirin inhibits the"), max_new_tokens=5).text,
]


def test_calls_from_many_threads_have_the_results_that_they_have_alone(mini: BioGPT, shared: BioGPT) -> None:
    alone = [call(mini) for call in CALLS]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            together = list(pool.map(lambda call: call(shared), CALLS))
            assert together == alone


def test_a_call_that_fails_fails_alone(mini: BioGPT, shared: BioGPT) -> None:
    def fail(_: object) -> str:
        with pytest.raises(ConfigError, match="exclude them all"):
            shared.generate("Aspirin", suppress_tokens=list(range(mini.tokenizer.vocab_size)))
        return ""

    def succeed(_: object) -> str:
        return shared.generate("Aspirin", max_new_tokens=8).text

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: (fail if number % 2 else succeed)(number), range(8)))
    assert found == [mini.generate("Aspirin", max_new_tokens=8).text, ""] * 4


def test_more_samples_than_rows_are_an_error(shared: BioGPT) -> None:
    with pytest.raises(ConfigError, match="num_return_sequences is 4, but at most 3"):
        shared.generate("Aspirin", do_sample=True, num_return_sequences=4)


def test_closing_it_leaves_the_model_open(mini: BioGPT) -> None:
    model = mini.concurrent()
    assert model.num_running == model.num_waiting == 0
    model.close()
    model.close()
    with pytest.raises(ModelClosedError, match="was closed"):
        model.generate("Aspirin")
    assert mini.generate("Aspirin", max_new_tokens=2).token_ids


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True])
def test_a_bad_number_of_rows_is_an_error(mini: BioGPT, bad: Any) -> None:
    with pytest.raises(ConfigError, match="max_rows is"):
        mini.concurrent(bad)


def test_rows_that_wait_take_part_later(mini: BioGPT) -> None:
    with mini.concurrent(max_rows=1) as model, ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda prompt: model.generate(prompt, max_new_tokens=6).token_ids, PROMPTS))
    assert found == [mini.generate(prompt, max_new_tokens=6).token_ids for prompt in PROMPTS]


def test_passes_are_reported_as_results(mini: BioGPT) -> None:
    reports: list[PassReport] = []
    with mini.concurrent(on_pass=reports.append) as model:
        model.generate("Aspirin inhibits", max_new_tokens=3, eos_token_id=None)
    length = len(mini.tokenizer.encode("Aspirin inhibits"))
    found = [(report.kind, report.read_tokens, report.new_tokens) for report in reports]
    assert found == [("read", length, 0), ("step", 0, 1), ("step", 0, 1)]
    assert list(reports[0].to_dict()) == ["kind", "read_tokens", "new_tokens", "seconds"]


@pytest.mark.parametrize("bad", [5, "print", [print]])
def test_what_cannot_be_called_after_a_pass_is_an_error(mini: BioGPT, bad: Any) -> None:
    with pytest.raises(ConfigError, match=r"on_pass is of type .*: give a function"):
        mini.concurrent(on_pass=bad)


def test_the_time_in_the_queue_is_part_of_the_timings(mini: BioGPT, shared: BioGPT) -> None:
    for config in (GenerationConfig(), GenerationConfig(num_beams=2), GenerationConfig(prompt_lookup_num_tokens=2)):
        timings = shared.generate("Aspirin", config, max_new_tokens=3).timings
        assert timings.queue > 0
        assert list(timings.to_dict())[-2:] == ["captured_steps", "queue"]
        assert mini.generate("Aspirin", config, max_new_tokens=3).timings.queue == 0


def test_the_cache_is_in_use_while_something_runs(mini: BioGPT) -> None:
    with mini.concurrent(max_rows=2) as model:
        assert model.cache_usage == 0
        with model.stream("Aspirin inhibits", max_new_tokens=100, eos_token_id=None) as stream:
            next(stream)
            assert 0 < model.cache_usage < 0.5
        while model.num_running:
            time.sleep(0.001)
        assert model.cache_usage == 0


def test_closing_with_cancel_gives_the_text_so_far(mini: BioGPT) -> None:
    model = mini.concurrent(max_rows=2)
    stream = model.stream("Aspirin inhibits", max_new_tokens=400, eos_token_id=None)
    text = next(stream)
    model.close(cancel=True)
    text += "".join(stream)
    assert stream.generation is not None
    assert stream.generation.text == text
    assert stream.generation.finish_reason == "cancelled"
    with pytest.raises(ModelClosedError):
        model.generate("Aspirin")
    assert mini.generate("Aspirin", max_new_tokens=2).token_ids


def test_a_rule_that_calls_the_model_is_an_error_and_no_deadlock(shared: BioGPT) -> None:
    def rule(_: object) -> list[int]:
        shared.generate("Insulin", max_new_tokens=1)
        return [30]

    with pytest.raises(ConfigError, match="would wait for itself"):
        shared.generate("Aspirin", allowed=rule, max_new_tokens=3)
    assert shared.generate("Aspirin", max_new_tokens=1).token_ids
