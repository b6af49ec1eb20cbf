"""What a caller can ask of a loaded model beyond greedy text: beams, samples, choices, prefixes, rules, streams."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, ConfigError, PromptError, TextStream

PROMPT = "The patient was treated with"
PROMPTS = [PROMPT, "Aspirin", "The aim of this study was to evaluate the effect of"]
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beams": {"num_beams": 4},
    "samples": {"do_sample": True, "seed": 3, "top_p": 0.9},
    "drafts": {"prompt_lookup_num_tokens": 8},
    "stop": {"stop_strings": [" of", "ing a"], "no_repeat_ngram_size": 3},
    "beams with stop": {"stop_strings": ["."], "num_beams": 3},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_an_answer_depends_on_its_own_prompt_alone(mini: BioGPT, settings: dict[str, Any]) -> None:
    together = mini.generate(PROMPTS, max_new_tokens=16, **settings)
    alone = [mini.generate(prompt, max_new_tokens=16, **settings) for prompt in PROMPTS]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    assert [answer.text for answer in together] == [answer.text for answer in alone]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_stream_writes_the_text_that_generate_gives(mini: BioGPT, settings: dict[str, Any]) -> None:
    for prompt in PROMPTS:
        answer = mini.generate(prompt, max_new_tokens=24, **settings)
        stream = mini.stream(prompt, max_new_tokens=24, **settings)
        written = ""
        for piece in stream:
            written += piece
            assert answer.text.startswith(written)
        assert written == answer.text
        assert stream.generation is not None
        assert stream.generation.token_ids == answer.token_ids
        assert stream.generation.finish_reason == answer.finish_reason


def test_beams_come_back_best_first_and_as_many_as_asked(mini: BioGPT) -> None:
    answer = mini.generate(PROMPT, num_beams=5, num_return_sequences=3, max_new_tokens=12)
    scores = [hypothesis.score for hypothesis in answer.sequences]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert (answer.text, answer.score) == (answer.sequences[0].text, scores[0])
    best = answer.sequences[0]
    expected = mini.generate_ids([mini.tokenizer.encode(PROMPT)], num_beams=5, max_new_tokens=12)[0]
    assert expected.token_ids == best.token_ids


def test_text_ends_before_a_stop_string_in_beams_too(mini: BioGPT) -> None:
    search: dict[str, Any] = {"num_beams": 3, "no_repeat_ngram_size": 1, "max_new_tokens": 40}
    stop = mini.generate(PROMPT, **search).text.split()[-2]
    answer = mini.generate(PROMPT, num_return_sequences=3, stop_strings=[stop], **search)
    stopped = [hypothesis for hypothesis in answer.sequences if hypothesis.finish_reason == "stop"]
    assert stopped
    for hypothesis in answer.sequences:
        assert stop not in hypothesis.text


def test_samples_follow_their_seeds(mini: BioGPT) -> None:
    def sample(prompts: list[str], seed: int | list[int]) -> list[str]:
        return [answer.text for answer in mini.generate(prompts, do_sample=True, seed=seed, max_new_tokens=12)]

    first, second = sample([PROMPT, PROMPT], [1, 2])
    assert first != second
    assert sample([PROMPT, "Aspirin"], 1)[0] == first
    assert sample(["Aspirin", PROMPT], [7, 2])[1] == second
    answer = mini.generate(PROMPT, do_sample=True, seed=1, num_return_sequences=3, max_new_tokens=12)
    texts = [hypothesis.text for hypothesis in answer.sequences]
    assert len(set(texts)) == 3
    assert first in texts


def test_samples_without_a_seed_differ(mini: BioGPT) -> None:
    texts = {mini.generate(PROMPT, do_sample=True, max_new_tokens=12).text for _ in range(5)}
    assert len(texts) > 1


def test_a_callers_own_rule_sees_the_ids_and_changes_the_logits(mini: BioGPT) -> None:
    word = mini.tokenizer.encode("cisplatin")[1]
    seen: list[int] = []

    def rule(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        seen.append(len(ids))
        favoured = logits.copy()
        favoured[word] += 100 if len(ids) % 2 else 0
        return favoured

    prompt = mini.tokenizer.encode(PROMPT)
    (answer,) = mini.generate_ids([prompt], logits_processors=[rule], max_new_tokens=4)
    assert seen == [len(prompt) + step for step in range(4)]
    assert word in answer.token_ids


def test_generation_keeps_to_the_texts_that_are_allowed(mini: BioGPT) -> None:
    drugs = ["aspirin", "heparin and morphine", "cisplatin"]
    for settings in ({}, {"num_beams": 3}, {"do_sample": True}, {"prompt_lookup_num_tokens": 4}):
        answer = mini.generate(PROMPT, allowed=drugs, **settings)
        assert answer.text.strip() in drugs
        assert answer.finish_reason == "eos"


def test_each_prompt_may_have_a_rule_of_its_own(mini: BioGPT) -> None:
    rules = [mini.continuations(["aspirin"]), None, mini.continuations(["of", "in"])]
    answers = mini.generate(PROMPTS, allowed=rules, max_new_tokens=6)
    assert answers[0].text == " aspirin"
    assert answers[1].token_ids == mini.generate(PROMPTS[1], max_new_tokens=6).token_ids
    assert answers[2].text in {" of", " in"}


@pytest.mark.parametrize("text", ["1.2\N{EN DASH}3.4 mg", "10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT SIX} M"])
def test_a_text_that_the_vocabulary_cannot_spell_is_refused_as_a_choice(mini: BioGPT, text: str) -> None:
    with pytest.raises(ConfigError, match=f"allowed holds '{text}', of which the vocabulary lacks characters"):
        mini.generate(PROMPT, allowed=["aspirin", text])
    with pytest.raises(ConfigError, match="lacks characters"):
        mini.continuations([text])


@pytest.mark.parametrize("num_beams", [1, 2])
def test_a_choice_is_never_cut_off(mini: BioGPT, num_beams: int) -> None:
    text = "heparin and morphine"
    size = len(mini.tokenizer.encode(text)) - 1
    for allowed in ([text, "aspirin"], mini.continuations([text])):
        with pytest.raises(ConfigError, match=f"has {size} tokens, and there is room for {size - 1}"):
            mini.generate(PROMPT, allowed=allowed, max_new_tokens=size - 1, num_beams=num_beams)
    answer = mini.generate(PROMPT, allowed=[text], max_new_tokens=size, num_beams=num_beams)
    assert answer.text.strip() == text


def test_a_rule_that_allows_nothing_more_ends_the_text(mini: BioGPT) -> None:
    word = mini.tokenizer.encode("aspirin")[1]
    answer = mini.generate(PROMPT, allowed=lambda tokens: [word] if len(tokens) < 2 else [])
    assert answer.token_ids == (word, word)
    assert answer.finish_reason == "stop"
    nothing = mini.generate(PROMPT, allowed=lambda _: [])
    assert (nothing.text, nothing.token_ids, nothing.finish_reason) == ("", (), "stop")


def test_choices_are_as_likely_as_their_texts_after_the_prompt(mini: BioGPT) -> None:
    texts = ["aspirin", "aspirin and heparin", "placebo"]
    choices = mini.choose(PROMPT, texts)
    assert [choice.text for choice in choices.choices] == texts
    for choice in choices.choices:
        assert choice.log_probability == pytest.approx(mini.score(choice.text, prompt=PROMPT).total, abs=1e-4)
    assert sum(choice.probability for choice in choices.choices) == pytest.approx(1)
    assert choices.best == max(choices.choices, key=lambda choice: choice.probability)


def test_a_choice_that_must_end_there_is_less_likely(mini: BioGPT) -> None:
    (anything, *_), (ended, *_) = (mini.choose(PROMPT, ["aspirin", "no"], ends=ends).choices for ends in (False, True))
    assert ended.log_probability < anything.log_probability
    assert ended.token_ids == (*anything.token_ids, 2)


def test_choices_for_several_prompts_come_in_their_order(mini: BioGPT) -> None:
    together = mini.choose(PROMPTS, ["aspirin", "placebo"])
    assert together == [mini.choose(prompt, ["aspirin", "placebo"]) for prompt in PROMPTS]


def test_choices_behind_ids_are_those_behind_the_text(mini: BioGPT) -> None:
    ids = [mini.tokenizer.encode(prompt) for prompt in PROMPTS]
    assert mini.choose_ids(ids, ["aspirin", "placebo"]) == mini.choose(PROMPTS, ["aspirin", "placebo"])
    for found, prompt in zip(mini.choose_ids(ids, ["aspirin", "no"], ends=True), PROMPTS, strict=True):
        expected = mini.choose(mini.prefix(prompt), ["aspirin", "no"], ends=True)
        for ours, theirs in zip(found.choices, expected.choices, strict=True):
            assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-5)
    with pytest.raises(PromptError, match="id"):
        mini.choose_ids([[2, 10**6]], ["aspirin"])


@pytest.mark.parametrize("choices", [[], ["yes", ""], ["yes", "yes "], ["a", 3], "yes", None])
def test_choices_that_cannot_be_told_apart_are_refused(mini: BioGPT, choices: Any) -> None:
    with pytest.raises(ConfigError, match="choices"):
        mini.choose(PROMPT, choices)


def test_a_choice_beyond_the_models_positions_is_refused(mini: BioGPT) -> None:
    with pytest.raises(PromptError, match="positions"):
        mini.choose("patient " * (mini.manifest.architecture.max_positions - 3), ["a b c d e f"])


def test_a_score_behind_a_prompt_is_what_the_whole_adds_to_the_prompt(mini: BioGPT) -> None:
    whole = mini.score("Aspirin inhibits platelets in patients.")
    behind = mini.score("platelets in patients.", prompt="Aspirin inhibits")
    assert behind.token_ids == whole.token_ids[-len(behind.token_ids) :]
    expected = whole.log_probabilities[-len(behind.token_ids) :]
    assert behind.log_probabilities == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_prompts_that_begin_with_a_prefix_are_continued_as_without(mini: BioGPT, settings: dict[str, Any]) -> None:
    prefix = mini.prefix("The aim of this study was to evaluate the effect of aspirin on platelets in")
    prompts = [
        "The aim of this study was to evaluate the effect of aspirin on platelets in patients with",
        "The aim of this study was to evaluate the effect of aspirin on platelets in",
        "The aim of this study was to find",
        "Something else",
    ]
    expected = [mini.generate(prompt, max_new_tokens=10, **settings) for prompt in prompts]
    for _ in range(2):
        for prompt, wanted in zip(prompts, expected, strict=True):
            assert mini.generate(prompt, prefix=prefix, max_new_tokens=10, **settings).token_ids == wanted.token_ids
    together = mini.generate(prompts, prefix=prefix, max_new_tokens=10, **settings)
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in expected]
    assert mini.generate(prefix, max_new_tokens=10, **settings).token_ids == expected[1].token_ids


def test_choices_and_scores_start_from_a_prefix(mini: BioGPT) -> None:
    prefix = mini.prefix(PROMPT)
    assert mini.choose(prefix, ["aspirin", "no"]).best.text == mini.choose(PROMPT, ["aspirin", "no"]).best.text
    expected = mini.score("aspirin and", prompt=PROMPT).log_probabilities
    assert mini.score("aspirin and", prompt=prefix).log_probabilities == pytest.approx(expected, abs=1e-4)


def test_a_prefix_may_be_continued_while_another_continuation_is_open(mini: BioGPT) -> None:
    prefix = mini.prefix(PROMPT)
    expected = mini.generate(PROMPT, max_new_tokens=10).text
    open_stream = mini.stream(prefix, max_new_tokens=10)
    first = next(open_stream)
    assert mini.generate(prefix, max_new_tokens=10).text == expected
    assert first + "".join(open_stream) == expected


def test_several_threads_may_continue_one_prefix(mini: BioGPT) -> None:
    prefix = mini.prefix(PROMPT)
    endings = ["aspirin and", "a", "the new drug in"]
    expected = [mini.generate(f"{PROMPT} {ending}", max_new_tokens=12).text for ending in endings]
    answers: dict[int, str] = {}

    def work(index: int) -> None:
        answers[index] = mini.generate(f"{PROMPT} {endings[index]}", prefix=prefix, max_new_tokens=12).text

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(endings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[index] for index in range(len(endings))] == expected


def test_a_prefix_of_another_model_is_refused(mini: BioGPT, mini_bundle: Path) -> None:
    other = biogpt_onnx.load(mini_bundle, threads=1).prefix(PROMPT)
    for ask in (lambda: mini.generate(PROMPT, prefix=other), lambda: mini.choose(other, ["a", "b"])):
        with pytest.raises(ConfigError, match="prefix"):
            ask()
    with pytest.raises(ConfigError, match="prefix"):
        mini.generate(PROMPT, prefix=PROMPT)  # type: ignore[call-overload]


def test_closing_a_stream_keeps_what_there_is(mini: BioGPT) -> None:
    expected = mini.generate(PROMPT, max_new_tokens=30, eos_token_id=None)
    with mini.stream(PROMPT, max_new_tokens=30, eos_token_id=None) as stream:
        pieces = [next(stream) for _ in range(3)]
        while_it_runs = stream.generation
    assert while_it_runs is None
    assert stream.generation is not None
    assert stream.generation.finish_reason == "cancelled"
    assert stream.generation.text.startswith("".join(pieces))
    assert stream.generation.token_ids == expected.token_ids[: len(stream.generation.token_ids)]
    assert list(stream) == []


def test_closing_a_stream_of_beams_keeps_the_best_so_far(mini: BioGPT) -> None:
    stream = mini.stream(PROMPT, num_beams=3, max_new_tokens=30, eos_token_id=None)
    stream.close()
    assert stream.generation is not None
    assert stream.generation.finish_reason == "cancelled"


def cancel_from_another_thread(stream: TextStream) -> list[str]:
    pieces = [next(stream)]
    closer = threading.Thread(target=stream.close)
    closer.start()
    pieces += list(stream)
    closer.join()
    return pieces


def test_a_stream_may_be_closed_from_another_thread(mini: BioGPT) -> None:
    stream = mini.stream(PROMPT, max_new_tokens=900, eos_token_id=None)
    pieces = cancel_from_another_thread(stream)
    assert stream.generation is not None
    assert stream.generation.finish_reason == "cancelled"
    assert stream.generation.text.startswith("".join(pieces))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_generation_that_is_cancelled_or_out_of_time_returns_what_it_has(
    mini: BioGPT, settings: dict[str, Any]
) -> None:
    cancel = threading.Event()
    cancel.set()
    cancelled = mini.generate(PROMPTS, cancel=cancel, max_new_tokens=20, **settings)
    assert [answer.finish_reason for answer in cancelled] == ["cancelled"] * 3
    late = mini.generate(PROMPTS, max_time=1e-9, max_new_tokens=20, **settings)
    assert [(answer.finish_reason, answer.text) for answer in late] == [("time", "")] * 3


def test_drafts_take_fewer_steps_for_the_same_text(mini: BioGPT) -> None:
    prompt = "question: " + "does cisplatin cause renal failure in patients with ovarian cancer? " * 4
    plain = mini.generate(prompt, max_new_tokens=48, eos_token_id=None)
    drafted = mini.generate(prompt, max_new_tokens=48, eos_token_id=None, prompt_lookup_num_tokens=8)
    assert drafted.token_ids == plain.token_ids
    assert drafted.timings.steps <= plain.timings.steps


def test_what_a_stream_cannot_do_is_refused_at_once(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="num_return_sequences"):
        mini.stream(PROMPT, do_sample=True, num_return_sequences=2)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"seed": [1, 2], "do_sample": True}, "seed"),
        ({"allowed": []}, "allowed"),
        ({"allowed": "aspirin"}, "allowed"),
        ({"allowed": 3}, "allowed"),
        ({"allowed": [""]}, "allowed"),
        ({"allowed": [None, None]}, "allowed"),
        ({"suppress_tokens": [99_999]}, "suppress_tokens"),
        ({"bad_words_ids": [[4, 99_999]]}, "bad_words_ids"),
        ({"sequence_bias": {(99_999,): 1.0}}, "sequence_bias"),
        ({"forced_eos_token_id": 99_999}, "forced_eos_token_id"),
    ],
)
def test_a_setting_that_does_not_fit_the_call_is_refused_by_name(
    mini: BioGPT, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        mini.generate(PROMPT, **settings)


def openai_penalties(
    prompt_length: int, presence: float, frequency: float
) -> Callable[[npt.NDArray[np.int64], npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    def penalised(ids: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        counts = np.bincount(ids[prompt_length:], minlength=len(logits))
        return np.asarray(logits - presence * (counts > 0) - frequency * counts, dtype=np.float32)

    return penalised


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_beams": 3}, {"prompt_lookup_num_tokens": 6}, {"do_sample": True, "seed": 3, "top_k": 9}],
    ids=["greedy", "beams", "drafts", "samples"],
)
@pytest.mark.parametrize(("presence", "frequency"), [(1.5, 0.0), (0.0, 0.8), (-0.5, 1.5)])
def test_tokens_of_the_new_text_are_penalised_as_openai_defines_it(
    mini: BioGPT, settings: dict[str, Any], presence: float, frequency: float
) -> None:
    prompt = mini.tokenizer.encode(PROMPT)
    rule = openai_penalties(len(prompt), presence, frequency)
    settings = {"max_new_tokens": 24, "eos_token_id": None, **settings}
    (found,) = mini.generate_ids([prompt], presence_penalty=presence, frequency_penalty=frequency, **settings)
    (expected,) = mini.generate_ids([prompt], logits_processors=rule, **settings)
    assert found.token_ids == expected.token_ids
    assert found.token_ids != mini.generate_ids([prompt], **settings)[0].token_ids
