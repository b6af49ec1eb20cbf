"""Checks that a GPU generates what the CPU generates: greedily, by beams, with drafts, samples and allowed tokens."""

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import biogpt_onnx
from benchmarks.gpu.checks.subject import PROMPTS, Subject, token_ids
from benchmarks.gpu.models import MINI_CHECKPOINT
from benchmarks.gpu.parts import Found
from benchmarks.gpu.transformers_peer import transformers_peer
from biogpt_onnx import BioGPT, tasks

_PEER_SECONDS = 120.0
_TOP_K = 20
_CHOICES = ("an effect on survival", "no effect", "no", "aspirin")
_PREFIX = "Aspirin inhibits platelets."
_RESTS = ("The drug", "In vitro", "It")
_DOCUMENTS = (
    "Lithium caused tremor in two of nine patients.",
    "Fatal renal failure was seen after high doses of cisplatin in a child with leukemia, who had seizures before.",
    "Cocaine-induced seizures were prevented by diazepam.",
    "Nine rats were given caffeine and had tachycardia and hypertension.",
)
_TEXT = "The patient was treated with intravenous antibiotics for two weeks, after which the fever resolved."


def greedy_beside_float32(subject: Subject) -> Found:
    """Compares greedy tokens with the float32 bundle's on the CPU."""
    ours, theirs = (token_ids(subject.write(model)) for model in (subject.ours, subject.exact))
    return subject.nearness.of_tokens(subject.prompt_ids, ours, theirs)


def greedy_beside_transformers(subject: Subject) -> Found:
    """Compares greedy tokens with those of transformers in float32 on the CPU."""
    prompts = tuple(map(tuple, subject.prompt_ids))
    theirs = _transformers(prompts, subject.new_tokens)
    if theirs is None:
        return {"passed": None, "reason": "transformers is not installed"}
    # transformers is told of no token that ends a text.
    ours = token_ids(subject.write(subject.ours, eos_token_id=None))
    return subject.nearness.of_tokens(prompts, ours, theirs)


def beams(subject: Subject) -> Found:
    """Compares the best of five beams, which have a row each, with the CPU's, which are a tree in one row."""
    written, theirs = (subject.write(model, num_beams=5) for model in (subject.ours, subject.reference))
    timings = written[0].timings
    return subject.nearness.of_best(subject.prompt_ids, token_ids(written), token_ids(theirs)) | {
        "steps": timings.steps,
        "captured_steps": timings.captured_steps,
    }


def drafts(subject: Subject) -> Found:
    """Compares greedy tokens with drafts with the CPU's, and with our own without drafts."""
    written, theirs = (subject.write(model, prompt_lookup_num_tokens=8) for model in (subject.ours, subject.reference))
    ours, without = token_ids(written), token_ids(subject.write(subject.ours))
    found = subject.nearness.of_tokens(subject.prompt_ids, ours, token_ids(theirs))
    undrafted = subject.nearness.of_tokens(subject.prompt_ids, ours, without)
    return found | {
        "passed": found["passed"] and undrafted["passed"],
        "beside_our_own_without_drafts": undrafted,
        "tokens": sum(map(len, ours)),
        "steps": sum(generation.timings.steps for generation in written),
    }


def samples(subject: Subject) -> Found:
    """Compares samples of the likeliest tokens, drawn with one seed."""
    ours, theirs = (
        token_ids(subject.write(model, do_sample=True, top_k=_TOP_K, seed=3))
        for model in (subject.ours, subject.reference)
    )
    return subject.nearness.of_samples(subject.prompt_ids, ours, theirs, _TOP_K)


def choices(subject: Subject) -> Found:
    """Compares the log-probabilities of several choices, in nats."""
    rows = zip(*(model.choose(list(PROMPTS), _CHOICES) for model in (subject.ours, subject.reference)), strict=True)
    found = []
    for ours, theirs in rows:
        mine, other = (
            np.array([choice.log_probability / len(choice.token_ids) for choice in chosen.choices])
            for chosen in (ours, theirs)
        )
        found.append((float(np.abs(mine - other).max()), ours.best.text == theirs.best.text))
    largest = max(difference for difference, _ in found)
    return {
        "passed": largest <= _logits_apart(subject),
        "rows": len(found),
        "same_best": sum(is_same for _, is_same in found),
        "largest_difference_per_token": largest,
    }


def allowed(subject: Subject) -> Found:
    """Compares relations that keep to the words of their documents: only allowed tokens are looked up."""
    prepared = [tasks.prepare_for(tasks.BC5CDR, subject.exact, tasks.Document(text)) for text in _DOCUMENTS]
    prompts = [one.prompt_ids for one in prepared]
    rules = [tasks.BC5CDR.constraint(subject.exact.tokenizer, one) for one in prepared]
    ours, theirs = (
        token_ids(model.generate_ids(prompts, max_new_tokens=subject.new_tokens, allowed=rules))
        for model in (subject.ours, subject.reference)
    )
    return subject.nearness.of_tokens(prompts, ours, theirs)


def prefix(subject: Subject) -> Found:
    """Compares a prefix that is continued twice, alone and in batches, with prompts that are read whole."""
    prompts = [f"{_PREFIX} {rest}" for rest in _RESTS]
    settings: dict[str, Any] = {"max_new_tokens": subject.new_tokens}
    shared, other = (model.prefix(_PREFIX) for model in (subject.ours, subject.reference))
    first, second = (token_ids(subject.ours.generate(prompts, prefix=shared, **settings)) for _ in range(2))
    alone = [list(subject.ours.generate(prompt, prefix=shared, **settings).token_ids) for prompt in prompts]
    whole = token_ids(subject.ours.generate(prompts, **settings))
    theirs = token_ids(subject.reference.generate(prompts, prefix=other, **settings))
    ids = [subject.exact.tokenizer.encode(prompt) for prompt in prompts]
    compared = {
        "alone_beside_batch": subject.nearness.of_tokens(ids, alone, first),
        "beside_whole_prompts": subject.nearness.of_tokens(ids, first, whole),
        "beside_the_reference": subject.nearness.of_tokens(ids, first, theirs),
    }
    once, again = (subject.ours.choose(shared, ["yes", "no"]).best.log_probability for _ in range(2))
    repeats = first == second and once == again
    return {"passed": repeats and all(one["passed"] for one in compared.values()), "repeats": repeats, **compared}


def stream(subject: Subject) -> Found:
    """Checks that the pieces of a stream are together the text that `generate` gives."""
    settings: dict[str, Any] = {"max_new_tokens": subject.new_tokens}
    equal = [
        "".join(subject.ours.stream(prompt, **settings)) == subject.ours.generate(prompt, **settings).text
        for prompt in PROMPTS
    ]
    return {"passed": all(equal), "rows": len(equal), "equal": sum(equal)}


def stop_strings(subject: Subject) -> Found:
    """Compares texts that end at stop strings, one before the other."""
    settings = {"stop_strings": [" of", " the", "."]}
    ours, theirs = (subject.write(model, **settings) for model in (subject.ours, subject.reference))
    found = subject.nearness.of_tokens(subject.prompt_ids, token_ids(ours), token_ids(theirs))
    reasons = [generation.finish_reason for generation in ours]
    clean = all(" the" not in one.text for one in ours if one.finish_reason == "stop")
    return found | {"passed": found["passed"] and clean and "stop" in reasons, "finish_reasons": reasons}


def score(subject: Subject) -> Found:
    """Compares the log-probabilities of a text's tokens, in nats."""
    ours, theirs = (_scores(model) for model in (subject.ours, subject.reference))
    largest = float(np.abs(np.subtract(ours, theirs)).max())
    mean = float(np.subtract(ours, theirs).mean())
    return {
        "passed": largest <= _logits_apart(subject),
        "tokens": len(ours),
        "largest_difference": largest,
        "mean_difference": mean,
    }


def loaded(subject: Subject) -> Found:
    """Checks that `biogpt_onnx.load` by the device's name gives the same tokens."""
    device = subject.accelerator.name
    model = biogpt_onnx.load(subject.folder, device="cuda" if device == "cuda" else "cpu", warm_up=False)
    same = token_ids(subject.write(model)) == token_ids(subject.write(subject.ours))
    # On a stand-in it is another session, which may round otherwise.
    return {"passed": model.device == device and (same or subject.dry), "device": model.device, "same_tokens": same}


ANSWER_CHECKS: Mapping[str, Callable[[Subject], Found]] = {
    "greedy beside float32": greedy_beside_float32,
    "greedy beside transformers": greedy_beside_transformers,
    "5 beams": beams,
    "drafts": drafts,
    "top-k samples": samples,
    "choices": choices,
    "allowed tokens": allowed,
    "prefix": prefix,
    "stream": stream,
    "stop strings": stop_strings,
    "score": score,
    "load": loaded,
}


@functools.cache
def _transformers(prompts: Sequence[Sequence[int]], new_tokens: int) -> list[list[int]] | None:
    """Returns the tokens that transformers generates, computed once for all recipes; None if it is not installed."""
    if importlib.util.find_spec("transformers") is None:
        return None
    with transformers_peer(MINI_CHECKPOINT, "cpu", "float32", _PEER_SECONDS) as peer:
        return [peer.generate([list(prompt)], new_tokens, _PEER_SECONDS).token_ids[0] for prompt in prompts]


def _scores(model: BioGPT) -> tuple[float, ...]:
    return model.score(_TEXT, prompt="Drugs.").log_probabilities


def _logits_apart(subject: Subject) -> float:
    """Returns how far a log-probability may be from the reference's: twice the limit, in logits."""
    logits = subject.exact.logits(subject.exact.tokenizer.encode(_TEXT))
    return 2 * subject.nearness.limit * float(logits.std())
