"""Question answering and classification: one or several of the labels that are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.results import Choices
from biogpt_onnx.tasks.fitting import Prepared
from biogpt_onnx.tasks.results import Answer, Classification
from biogpt_onnx.tasks.source import SourceOf, ended_sentence, question_and_context

_LABEL = "{label}"
_CONFIG = GenerationConfig(max_new_tokens=128)


@dataclass(frozen=True)
class AnswerTask:
    """A question that has one of a few answers.

    Attributes:
        name: as a bundle's manifest has it.
        sentence: how the answer is given, with {label} in it.
        labels: the answers that there are.
        soft_prompt_size: rows of the soft prompt behind the source; None for whatever the bundle has.
        source: the form of question and context in the prompt.
        config: how a free answer is decoded.
        least_new_tokens: room for the answer that a document must leave.
    """

    name: str
    sentence: str
    labels: tuple[str, ...]
    soft_prompt_size: int | None = 9
    source: SourceOf = question_and_context
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 32

    def __post_init__(self) -> None:
        _check(self.name, self.sentence, self.labels)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Answer]:
        """The answer to each question, with the probability of each label among all.

        Args:
            model: a bundle of the task.
            prepared: questions and contexts.
            free: take what the model writes, instead of the likeliest label.

        Raises:
            PromptError: there is no question.
        """
        for one in prepared:
            if not one.document.question.strip():
                raise PromptError("the question is empty: give a question for each context")
        return [self._freely(model, one) if free else self._likeliest(model, one) for one in prepared]

    def _likeliest(self, model: BioGPT, prepared: Prepared) -> Answer:
        (choices,) = model.choose_ids([prepared.prompt_ids], list(self._sentences), ends=True)
        best = choices.best
        label, probabilities = self._sentences[best.text], self._probabilities(choices)
        return Answer(label, probabilities, best.log_probability, best.text, prepared.read)

    def _freely(self, model: BioGPT, prepared: Prepared) -> Answer:
        prompt = model.prefix(prepared.prompt_ids)
        probabilities = self._probabilities(model.choose(prompt, list(self._sentences), ends=True))
        text, score = _written(model, prompt, self.config)
        label = _after(text, self.sentence)
        return Answer(label if label in self.labels else None, probabilities, score, text, prepared.read)

    @cached_property
    def _sentences(self) -> dict[str, str]:
        """The label of each answering sentence."""
        return {self.sentence.replace(_LABEL, label): label for label in self.labels}

    def _probabilities(self, choices: Choices) -> dict[str, float]:
        return {self._sentences[choice.text]: choice.probability for choice in choices.choices}


@dataclass(frozen=True)
class ClassificationTask:
    """What a document is about: one or several labels.

    Attributes:
        name: as a bundle's manifest has it.
        sentence: how the labels are given, with {label} in it.
        labels: the labels that there are.
        separator: what stands between two labels.
        alone: labels that stand beside no other.
        soft_prompt_size: rows of the soft prompt behind the source; None for whatever the bundle has.
        source: the form of the document in the prompt.
        config: how a free answer is decoded.
        least_new_tokens: room for the answer that a document must leave.
    """

    name: str
    sentence: str
    labels: tuple[str, ...]
    separator: str = "|"
    alone: tuple[str, ...] = ()
    soft_prompt_size: int | None = 1
    source: SourceOf = ended_sentence
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128

    def __post_init__(self) -> None:
        _check(self.name, self.sentence, self.labels)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Classification]:
        """The labels of each document, and the probability of each among all to be named first.

        The likeliest first label is taken, then the likeliest of the others or the end, and so on.

        Args:
            model: a bundle of the task.
            prepared: the documents.
            free: take what the model writes, instead of the likeliest labels.
        """
        return [self._classify(model, one, free=free) for one in prepared]

    def _classify(self, model: BioGPT, prepared: Prepared, *, free: bool) -> Classification:
        prompt = model.prefix(prepared.prompt_ids)
        before, _, end = self.sentence.partition(_LABEL)
        first = {before + label: label for label in self.labels}
        choices = model.choose(prompt, list(first))
        probabilities = {first[choice.text]: choice.probability for choice in choices.choices}
        if free:
            text, _ = _written(model, prompt, self.config)
            said = [part.strip() for part in (_after(text, self.sentence) or text).split(self.separator)]
            known = tuple(dict.fromkeys(label for label in said if label in self.labels))
            unparsed = tuple(part for part in said if part and part not in self.labels)
            return Classification(known, probabilities, unparsed, text, prepared.read)
        labels = [first[choices.best.text]]
        while following := self._next(model, prompt, before, labels, end):
            labels.append(following)
        text = f"{before}{self.separator.join(labels)}{end}"
        return Classification(tuple(labels), probabilities, (), text, prepared.read)

    def _next(self, model: BioGPT, prompt: Prefix[Any], before: str, labels: list[str], end: str) -> str | None:
        """The label that follows, None where the text ends."""
        others = [label for label in self.labels if label not in (*labels, *self.alone)]
        if labels[-1] in self.alone or not others:
            return None
        so_far = before + self.separator.join(labels)
        further = {f"{so_far}{self.separator}{label}": label for label in others}
        return further.get(model.choose(prompt, [so_far + end, *further]).best.text)


def _check(name: str, text: str, labels: Sequence[str]) -> None:
    if text.count(_LABEL) != 1:
        raise ConfigError(f"task {name}: the sentence is {text!r}: give {_LABEL} in it, once")
    if len(set(labels)) < len(labels) or len(labels) < 2 or not all(map(str.strip, labels)):  # noqa: PLR2004 -- a choice
        raise ConfigError(f"task {name}: the labels are {labels!r}: give at least two, each of them once")


def _written(model: BioGPT, prompt: Prefix[Any], config: GenerationConfig) -> tuple[str, float]:
    generation = model.generate(prompt, config)
    return generation.text.strip(), generation.score


def _after(text: str, form: str) -> str | None:
    """What stands in place of the label; None where the sentence is another one."""
    before, _, end = form.partition(_LABEL)
    _, found, rest = text.partition(before.strip())
    return rest.strip().removesuffix(end.strip()).strip() if found else None
