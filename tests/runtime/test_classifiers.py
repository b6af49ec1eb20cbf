import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, ConfigError, PromptError, ProviderError
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.runtime.bundle import ClassificationHead
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID
from conftest import MakeOnce
from makers.checkpoints import SEQUENCE, TOKENS, lively_tensors, tiny_architecture, write_huggingface

ARCHITECTURE = tiny_architecture(max_positions=120)
TEXTS = ["Lithium caused tremor in 2 of 9.", "COVID-19 & TNF-alpha (p<0.05).", "Aspirin", "a b c " * 12]


def make(make_once: MakeOnce, name: str, head: ClassificationHead) -> tuple[Path, Path]:
    """A checkpoint with this head, and its bundle."""
    tensors = lively_tensors(ARCHITECTURE, head=head)
    checkpoint = make_once(name, lambda to: write_huggingface(to, ARCHITECTURE, tensors, head=head))
    return checkpoint, make_once(f"{name}-bundle", lambda to: export_bundle(open_checkpoint(checkpoint), to))


@pytest.fixture(scope="module")
def sequence(make_once: MakeOnce) -> tuple[Path, Path]:
    return make(make_once, "sequence-classifier", SEQUENCE)


@pytest.fixture(scope="module")
def tokens(make_once: MakeOnce) -> tuple[Path, Path]:
    return make(make_once, "token-classifier", TOKENS)


@pytest.fixture(scope="module")
def classifier(sequence: tuple[Path, Path]) -> BioGPT:
    return biogpt_onnx.load(sequence[1], warm_up=False)


@pytest.fixture(scope="module")
def tagger(tokens: tuple[Path, Path]) -> BioGPT:
    return biogpt_onnx.load(tokens[1], warm_up=False)


def transformers_logits(checkpoint: Path, kind: str) -> Callable[[list[str]], list[Any]]:
    """The logits of each text, from one padded batch of transformers, and a function that reads the words."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    model = getattr(transformers, kind).from_pretrained(checkpoint).float().eval()
    tokenizer = transformers.BioGptTokenizer.from_pretrained(checkpoint)

    def logits(texts: list[str]) -> list[Any]:
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        with torch.no_grad():
            found = model(**batch).logits.numpy()
        if found.ndim == 2:
            return list(found)
        return [row[1 : int(mask.sum())] for row, mask in zip(found, batch["attention_mask"], strict=True)]

    return logits


def test_labels_and_probabilities_are_those_of_transformers(sequence: tuple[Path, Path], classifier: BioGPT) -> None:
    expected = transformers_logits(sequence[0], "BioGptForSequenceClassification")(TEXTS)
    found = classifier.classify_texts(TEXTS)
    assert np.allclose([list(one.values.values()) for one in found], expected, atol=1e-4)
    assert [one.label for one in found] == [SEQUENCE.labels[row.argmax()] for row in expected]
    assert {one.label for one in found} != {found[0].label}


@pytest.mark.parametrize("pad_token_id", [EOS_ID, 65])
def test_another_padding_token_moves_the_deciding_token_as_in_transformers(pad_token_id: int, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    if pad_token_id == EOS_ID and int(transformers.__version__.partition(".")[0]) < 5:
        pytest.skip("transformers before 5 counts tokens that are not padding, also where </s> is the padding")
    head = dataclasses.replace(SEQUENCE, pad_token_id=pad_token_id)
    tensors = lively_tensors(ARCHITECTURE, head=head)
    checkpoint = write_huggingface(tmp_path / "checkpoint", ARCHITECTURE, tensors, head=head)
    export_bundle(open_checkpoint(checkpoint), tmp_path / "bundle")
    model = biogpt_onnx.load(tmp_path / "bundle", warm_up=False)
    texts = ["a b c", "b a", "c </s>"]
    theirs = transformers_logits(checkpoint, "BioGptForSequenceClassification")
    found = model.classify_texts(texts, special_tokens=True)
    assert np.allclose([list(one.values.values()) for one in found], [theirs([one])[0] for one in texts], atol=1e-4)


def test_tags_are_those_of_transformers_with_the_texts_own_characters(
    tokens: tuple[Path, Path], tagger: BioGPT
) -> None:
    expected = transformers_logits(tokens[0], "BioGptForTokenClassification")(TEXTS)
    for text, logits, found in zip(TEXTS, expected, tagger.tag_tokens(TEXTS), strict=True):
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        assert [one.label for one in found.tokens] == [TOKENS.labels[row.argmax()] for row in logits]
        assert np.allclose([one.probability for one in found.tokens], probabilities.max(axis=1), atol=1e-4)
        spans = [(one.start, one.end, one.text) for one in found.tokens]
        spans += [(one.start, one.end, one.text) for one in found.entities]
        assert all(text[start:end] == own for start, end, own in spans)
        assert {one.type for one in found.entities} <= {"Drug", "Sign"}
        covered = {place for one in found.tokens for place in range(one.start, one.end)}
        assert [character for place, character in enumerate(text) if place not in covered and character != " "] == []


def test_an_answer_is_to_the_last_bit_that_of_the_text_alone(classifier: BioGPT, tagger: BioGPT) -> None:
    assert classifier.classify_texts(TEXTS) == [classifier.classify_texts(text) for text in TEXTS]
    assert tagger.tag_tokens(TEXTS) == [tagger.tag_tokens(text) for text in TEXTS]
    assert classifier.classify_texts(TEXTS[::-1])[::-1] == classifier.classify_texts(TEXTS)


def test_a_classifier_embeds_too(sequence: tuple[Path, Path], classifier: BioGPT) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model = transformers.BioGptModel.from_pretrained(sequence[0]).float().eval()
    ids = torch.tensor([classifier.tokenizer.encode(TEXTS[0])])
    with torch.no_grad():
        expected = model(ids).last_hidden_state[0].mean(dim=0).numpy()
    assert np.allclose(classifier.embed(TEXTS[0]), expected, atol=1e-4)


CALLS: dict[str, Callable[[BioGPT], object]] = {
    "generate": lambda model: model.generate("a"),
    "generate_ids": lambda model: model.generate_ids([[2, 5]]),
    "stream": lambda model: model.stream("a"),
    "prefix": lambda model: model.prefix("a"),
    "choose": lambda model: model.choose("a", ["b", "c"]),
    "choose_ids": lambda model: model.choose_ids([[2, 5]], ["b", "c"]),
    "logits": lambda model: model.logits([2, 5]),
    "score": lambda model: model.score("a b"),
    "tag_tokens": lambda model: model.tag_tokens("a"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_what_a_classifier_cannot_do_is_refused_in_one_line(classifier: BioGPT, call: Callable[[BioGPT], Any]) -> None:
    with pytest.raises(ConfigError, match=r"has a sequence-classification head.*use classify_texts") as error:
        call(classifier)
    assert "\n" not in str(error.value)


def test_a_language_model_says_that_it_has_no_head(mini: BioGPT) -> None:
    with pytest.raises(ConfigError, match="without a sequence-classification head"):
        mini.classify_texts("a")
    with pytest.raises(ConfigError, match="without a token-classification head"):
        mini.tag_tokens("a")


def test_a_text_that_is_too_long_is_refused_or_loses_its_end(classifier: BioGPT, tagger: BioGPT) -> None:
    long = "a b c " * 50
    for call in (classifier.classify_texts, tagger.tag_tokens):
        with pytest.raises(PromptError, match=r'texts\[1\]: the text has 151 tokens, the model 120 positions.*"right"'):
            call(["a", long])
    kept = "a b c " * 39 + "a b"
    cut, whole = classifier.classify_texts([long, kept], truncation="right")
    assert (cut.values, cut.dropped_tokens, whole.dropped_tokens) == (whole.values, 31, 0)
    tags = tagger.tag_tokens(long, truncation="right")
    assert (len(tags.tokens), tags.dropped_tokens) == (119, 31)
    with pytest.raises(PromptError, match=r"texts\[1\]: the text holds no words"):
        tagger.tag_tokens(["a", ""])


def test_a_gpu_is_refused_and_auto_takes_the_cpu(sequence: tuple[Path, Path], classifier: BioGPT) -> None:
    with pytest.raises(ProviderError, match="device is cuda, but bundles with a classification head run on the CPU"):
        biogpt_onnx.load(sequence[1], device="cuda", warm_up=False)
    assert classifier.device == "cpu"
