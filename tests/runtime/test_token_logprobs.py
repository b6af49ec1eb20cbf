import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BioGPT, ConfigError, Generation, PromptError, TokenLogprob
from biogpt_onnx.runtime.decoding.stopping import ContinuationText
from biogpt_onnx.runtime.token_logprobs import continuation_spans
from biogpt_onnx.runtime.tokenizer import IncrementalDecoder
from makers.models import DeviceFake, FakeModel
from makers.scripted import scripted

PROMPT = "The patient was treated with"


def log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    exact = logits.astype(np.float64)
    shifted = exact - exact.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def check_against_logits(model: BioGPT, before: list[int], found: tuple[TokenLogprob, ...], count: int) -> None:
    """Compares each token's log-probability, and the most probable ones there, with the model's logits."""
    ids = [token.token_id for token in found]
    expected = log_softmax(model.logits([*before, *ids[:-1]]))[len(before) - 1 :]
    for token, row in zip(found, expected, strict=True):
        assert token.logprob == pytest.approx(row[token.token_id], abs=1e-4)
        assert [each.logprob for each in token.top] == pytest.approx(np.sort(row)[::-1][:count].tolist(), abs=1e-4)
        for each in token.top:
            assert each.logprob == pytest.approx(row[each.token_id], abs=1e-4)
            assert each.text == model.tokenizer.token_text(each.token_id)


def check_spans(text: str, found: tuple[TokenLogprob, ...]) -> None:
    """The spans lie side by side and together are the whole text."""
    assert found[0].span[0] == 0
    assert found[-1].span[1] == len(text)
    for token, following in pairwise(found):
        assert token.span[1] == following.span[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"repetition_penalty": 1.5, "min_new_tokens": 12},
        {"do_sample": True, "seed": 3, "top_k": 20},
        {"num_beams": 3, "num_return_sequences": 2, "no_repeat_ngram_size": 2},
        {"prompt_lookup_num_tokens": 4},
    ],
    ids=["greedy", "rules", "sampling", "beams", "drafts"],
)
def test_each_new_token_comes_with_the_most_probable_ones_of_the_model(mini: BioGPT, settings: dict[str, Any]) -> None:
    answer = mini.generate(PROMPT, max_new_tokens=12, logprobs=4, **settings)
    plain = mini.generate(PROMPT, max_new_tokens=12, **settings)
    assert [each.token_ids for each in answer.sequences] == [each.token_ids for each in plain.sequences]
    assert answer.logprobs == answer.sequences[0].logprobs
    for hypothesis in answer.sequences:
        assert hypothesis.logprobs is not None
        assert tuple(token.token_id for token in hypothesis.logprobs) == hypothesis.token_ids
        check_against_logits(mini, mini.tokenizer.encode(PROMPT), hypothesis.logprobs, 4)
        check_spans(hypothesis.text, hypothesis.logprobs)


def test_greedy_search_takes_the_first_of_the_most_probable_tokens(mini: BioGPT) -> None:
    answer = mini.generate(PROMPT, max_new_tokens=8, logprobs=1)
    assert answer.logprobs is not None
    assert [token.top[0].token_id for token in answer.logprobs] == list(answer.token_ids)
    assert [token.logprob for token in answer.logprobs] == list(answer.sequences[0].log_probabilities)
    assert [token.top[0].logprob for token in answer.logprobs] == list(answer.sequences[0].log_probabilities)


def test_the_log_probabilities_of_a_batch_are_those_of_each_prompt_alone(mini: BioGPT) -> None:
    prompts = [PROMPT, "Aspirin"]
    together = mini.generate(prompts, max_new_tokens=6, logprobs=3)
    assert [answer.logprobs for answer in together] == [
        mini.generate(prompt, max_new_tokens=6, logprobs=3).logprobs for prompt in prompts
    ]


def test_a_stream_has_the_log_probabilities_when_it_has_ended(mini: BioGPT) -> None:
    with mini.stream(PROMPT, max_new_tokens=5, logprobs=2) as stream:
        text = "".join(stream)
    assert isinstance(stream.generation, Generation)
    assert stream.generation.text == text
    assert stream.generation.logprobs == mini.generate(PROMPT, max_new_tokens=5, logprobs=2).logprobs


def test_spans_end_where_a_stop_string_cuts_the_text(mini: BioGPT) -> None:
    whole = mini.generate(PROMPT, max_new_tokens=12)
    stop = whole.text[8:14]
    answer = mini.generate(PROMPT, max_new_tokens=12, logprobs=1, stop_strings=[stop])
    assert (answer.finish_reason, answer.text) == ("stop", whole.text[: whole.text.index(stop)])
    assert answer.logprobs is not None
    check_spans(answer.text, answer.logprobs)


def test_the_token_that_ends_a_text_has_its_name_and_no_characters(mini: BioGPT) -> None:
    ids = mini.generate(PROMPT, max_new_tokens=1).token_ids
    answer = mini.generate(PROMPT, max_new_tokens=3, logprobs=1, eos_token_id=ids[0])
    assert answer.logprobs is not None
    assert [(token.token_id, token.span) for token in answer.logprobs] == [(ids[0], (0, 0))]
    assert mini.tokenizer.token_text(2) == "</s>"


@pytest.mark.parametrize("model", [FakeModel, DeviceFake])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_device_that_selects_tokens_gives_the_same_places(mini: BioGPT, model: type[FakeModel], count: int) -> None:
    fake = scripted(mini, "lithium caused tremor.", model=model)
    prompt = [*mini.tokenizer.encode("text 1"), *mini.tokenizer.soft_prompt_ids]
    (answer,) = fake.generate_ids([prompt], max_new_tokens=4, logprobs=count)
    assert answer.logprobs is not None
    assert [token.top[0].token_id for token in answer.logprobs] == list(answer.token_ids)
    assert {len(token.top) for token in answer.logprobs} == {count}
    scored = fake.score("lithium caused", prompt=fake.prefix(prompt), logprobs=count)
    assert scored.logprobs is not None
    assert [token.top[0] for token in scored.logprobs] == [token.top[0] for token in answer.logprobs[:2]]


def test_a_scored_text_has_the_most_probable_tokens_at_each_place(mini: BioGPT) -> None:
    text = "Aspirin  inhibits (platelets) &\twell-known enzymes."
    plain, score = mini.score(text), mini.score(text, logprobs=5)
    assert plain.logprobs is None
    assert score.logprobs is not None
    assert score.log_probabilities == plain.log_probabilities
    assert tuple(token.logprob for token in score.logprobs) == score.log_probabilities
    check_against_logits(mini, [2], score.logprobs, 5)
    assert "".join(text[slice(*token.span)] for token in score.logprobs) == "".join(text.split())


def test_a_text_is_scored_behind_a_prompt_or_prefix_with_spans_of_its_own(mini: BioGPT) -> None:
    whole = mini.score("given lithium", prompt="Two patients", logprobs=2)
    continued = mini.score("given lithium", prompt=mini.prefix("Two patients"), logprobs=2)
    assert whole.logprobs is not None
    assert continued.logprobs is not None
    assert [token.span for token in continued.logprobs] == [token.span for token in whole.logprobs]
    check_against_logits(mini, mini.tokenizer.encode("Two patients"), continued.logprobs, 2)
    assert whole.logprobs[0].span[0] == 0
    check_against_logits(mini, mini.tokenizer.encode("Two patients"), whole.logprobs, 2)


def test_special_tokens_of_a_scored_text_have_places(mini: BioGPT) -> None:
    score = mini.score("Aspirin </s> works", special_tokens=True, logprobs=1)
    assert score.logprobs is not None
    assert [token.span for token in score.logprobs if token.token_id == 2] == [(8, 12)]


def test_normalized_punctuation_keeps_the_places_of_the_text(mini: BioGPT) -> None:
    text = "Parkinson\u2019s disease"
    score = mini.score(text, normalize_punctuation=True, logprobs=1)
    assert score.logprobs is not None
    assert "".join(text[slice(*token.span)] for token in score.logprobs) == "Parkinson\u2019sdisease"


def test_several_texts_are_scored_as_each_alone(mini: BioGPT) -> None:
    texts = ["Aspirin inhibits platelets.", "Lithium"]
    assert mini.score(texts, logprobs=2) == [mini.score(text, logprobs=2) for text in texts]
    assert mini.score(texts) == [mini.score(text) for text in texts]
    with pytest.raises(PromptError, match="list of texts is empty"):
        mini.score([])
    with pytest.raises(PromptError, match="text is of type int"):
        mini.score(["Aspirin", 5])  # type: ignore[list-item]


def test_rows_of_ids_are_scored_as_their_text(mini: BioGPT) -> None:
    texts = ["Aspirin inhibits platelets.", 'Lithium (5 mg) isn\'t "new".']
    rows = [mini.tokenizer.encode(text) for text in texts]
    assert mini.score_ids(rows) == mini.score(texts)
    for text, row, score in zip(texts, rows, mini.score_ids(rows, logprobs=3), strict=True):
        assert score == mini.score_ids(np.array(row), logprobs=3)
        expected = mini.score(text, logprobs=3)
        assert score.log_probabilities == expected.log_probabilities
        assert score.logprobs is not None
        assert expected.logprobs is not None
        assert [token.top for token in score.logprobs] == [token.top for token in expected.logprobs]
        check_spans(mini.tokenizer.decode(row), score.logprobs)


def test_the_first_id_of_a_row_is_read_and_not_scored(mini: BioGPT) -> None:
    row = mini.tokenizer.encode("The patient was treated")[1:]
    score = mini.score_ids(row, logprobs=2)
    assert score.token_ids == tuple(row[1:])
    assert score.logprobs is not None
    check_against_logits(mini, row[:1], score.logprobs, 2)
    assert [token.span for token in score.logprobs] == [(3, 11), (11, 15), (15, 23)]
    assert mini.score_ids(np.array([row])) == [mini.score_ids(tuple(row))]
    assert mini.score_ids(iter([row])) == [mini.score_ids(row)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "list of token_ids is empty"),
        ("Aspirin", "token_ids are of type str"),
        ([2], "holds one id, which is only read"),
        ([[2, 30], [2]], r"token_ids\[1\]: a sequence of token ids holds one id"),
        ([[2, 30], []], r"token_ids\[1\]: a sequence of token ids is empty"),
        ([2, 10**6], "^token id 1000000 is outside the vocabulary"),
        ([2, 3.5], "token id 3.5 is not a whole number"),
        ([[2, 30], 5], r"token_ids\[1\]: token ids are of type int"),
        ([2] * 1025, "a sequence of token ids has 1,025 tokens, the model 1,024 positions: give fewer tokens"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused_by_their_index(mini: BioGPT, rows: Any, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        mini.score_ids(rows)


def test_a_row_without_a_score_leaves_the_others_theirs(mini: BioGPT) -> None:
    first, second, third = mini.score_ids([[2, 30], [2], [2, 31]], on_error="return")
    assert isinstance(second, PromptError)
    assert [first, third] == mini.score_ids([[2, 30], [2, 31]])


@pytest.mark.parametrize("off", [0, None])
def test_nothing_is_recorded_unless_it_is_asked_for(mini: BioGPT, off: int | None) -> None:
    answer = mini.generate(PROMPT, max_new_tokens=2, logprobs=off)
    assert answer.logprobs is None
    assert "logprobs" not in answer.to_dict()
    assert mini.score("Aspirin", logprobs=off).logprobs is None


@pytest.mark.parametrize("bad", [-1, 2.0, True, "5", 1_000_000])
def test_a_bad_number_is_an_error_that_names_the_setting(mini: BioGPT, bad: Any) -> None:
    with pytest.raises(ConfigError, match="logprobs is"):
        mini.generate(PROMPT, logprobs=bad)
    with pytest.raises(ConfigError, match="logprobs is"):
        mini.score("Aspirin", logprobs=bad)
    with pytest.raises(ConfigError, match="logprobs is"):
        mini.score_ids([2, 30], logprobs=bad)


def test_the_whole_vocabulary_may_be_asked_for(mini: BioGPT) -> None:
    score = mini.score("Aspirin", logprobs=mini.tokenizer.vocab_size)
    assert score.logprobs is not None
    assert math.fsum(math.exp(each.logprob) for each in score.logprobs[0].top) == pytest.approx(1, abs=1e-5)


def test_results_with_log_probabilities_become_json(mini: BioGPT) -> None:
    answer = json.loads(json.dumps(mini.generate(PROMPT, max_new_tokens=2, logprobs=2).to_dict(), allow_nan=False))
    first = answer["logprobs"][0]
    assert set(first) == {"text", "token_id", "span", "logprob", "top"}
    assert set(first["top"][0]) == {"text", "token_id", "logprob"}
    assert answer["sequences"][0]["logprobs"] == answer["logprobs"]


def test_a_token_by_itself_is_written_as_people_write_it(mini: BioGPT) -> None:
    tokenizer = mini.tokenizer
    ids = tokenizer.encode("well-known <drug> & lithium's")[1:]
    texts = [tokenizer.token_text(token) for token in ids]
    assert "".join(texts) == "well -known < drug > & lithium 's "
    assert "-" in texts
    assert {tokenizer.token_text(token) for token in (0, 1, 2, 3)} == {"<s>", "<pad>", "</s>", "<unk>"}
    assert tokenizer.token_text(tokenizer.soft_prompt_ids[0]) == "learned1"
    with pytest.raises(PromptError, match="outside the vocabulary"):
        tokenizer.token_text(tokenizer.vocab_size)


@pytest.mark.parametrize("stop_strings", [[], ["a"]])
def test_spans_of_any_tokens_lie_side_by_side_in_their_text(mini: BioGPT, stop_strings: list[str]) -> None:
    random = np.random.default_rng(1)
    tokenizer = mini.tokenizer
    marks = [token for token in range(tokenizer.vocab_size) if set("&;@-'\"().,") & set(tokenizer.token_text(token))]
    for _ in range(200):
        ids = [*random.choice(marks, 6).tolist(), *random.integers(4, tokenizer.vocab_size, 6).tolist()]
        random.shuffle(ids)
        text = ContinuationText(IncrementalDecoder(tokenizer, [2, *ids[:2]]), stop_strings)
        spans = continuation_spans(text, ids, len(ids))
        assert [spans[0][0], spans[-1][1], len(spans)] == [0, len(text.text), len(ids)]
        assert all(one[1] == other[0] and one[0] <= one[1] for one, other in pairwise(spans))
