"""Question answering and classification: one or several of the labels that are known."""

from collections.abc import Iterator, Sequence
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

_Said = tuple[tuple[str, ...], tuple[str, ...], str]
"""Labels, what is none, and the text that says them."""


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
        if free:
            return [answer for group in _groups(model, prepared) for answer in self._freely(model, group)]
        found = model.choose_ids([one.prompt_ids for one in prepared], list(self._sentences), ends=True)
        return [self._likeliest(*pair) for pair in zip(prepared, found, strict=True)]

    def _likeliest(self, prepared: Prepared, choices: Choices) -> Answer:
        best = choices.best
        label, probabilities = self._sentences[best.text], self._probabilities(choices)
        return Answer(label, probabilities, best.log_probability, best.text, prepared.read)

    def _freely(self, model: BioGPT, group: Sequence[Prepared]) -> Iterator[Answer]:
        prompts = [model.prefix(one.prompt_ids) for one in group]
        found = model.choose(prompts, list(self._sentences), ends=True)
        generations = model.generate(prompts, self.config)
        for one, choices, generation in zip(group, found, generations, strict=True):
            text = generation.text.strip()
            label = _after(text, self.sentence)
            known = label if label in self.labels else None
            yield Answer(known, self._probabilities(choices), generation.score, text, one.read)

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
        return [
            classification
            for group in _groups(model, prepared)
            for classification in self._classified(model, group, free=free)
        ]

    @cached_property
    def _around(self) -> tuple[str, str]:
        """What stands before the labels, and what behind them."""
        before, _, end = self.sentence.partition(_LABEL)
        return before, end

    def _classified(self, model: BioGPT, group: Sequence[Prepared], *, free: bool) -> Iterator[Classification]:
        prompts = [model.prefix(one.prompt_ids) for one in group]
        before, _ = self._around
        first = {before + label: label for label in self.labels}
        found = model.choose(prompts, list(first))
        results = (
            self._said(model, prompts)
            if free
            else self._likeliest(model, prompts, [first[choices.best.text] for choices in found])
        )
        for one, choices, (labels, unparsed, text) in zip(group, found, results, strict=True):
            probabilities = {first[choice.text]: choice.probability for choice in choices.choices}
            yield Classification(labels, probabilities, unparsed, text, one.read)

    def _said(self, model: BioGPT, prompts: Sequence[Prefix[Any]]) -> Iterator[_Said]:
        """What the model writes."""
        for generation in model.generate(prompts, self.config):
            text = generation.text.strip()
            said = [part.strip() for part in (_after(text, self.sentence) or text).split(self.separator)]
            known = tuple(dict.fromkeys(label for label in said if label in self.labels))
            yield known, tuple(part for part in said if part and part not in self.labels), text

    def _likeliest(self, model: BioGPT, prompts: Sequence[Prefix[Any]], first: Sequence[str]) -> Iterator[_Said]:
        """The likeliest labels, given the first of each."""
        before, end = self._around
        labels: list[tuple[str, ...]] = [(label,) for label in first]
        going_on = list(range(len(prompts)))
        while going_on:
            alike: dict[tuple[str, ...], list[int]] = {}
            for number in going_on:
                alike.setdefault(labels[number], []).append(number)
            going_on = []
            for said, numbers in alike.items():
                following = self._next(model, [prompts[number] for number in numbers], said)
                for number, label in zip(numbers, following, strict=True):
                    if label is not None:
                        labels[number] = (*said, label)
                        going_on.append(number)
        return ((said, (), f"{before}{self.separator.join(said)}{end}") for said in labels)

    def _next(self, model: BioGPT, prompts: Sequence[Prefix[Any]], labels: Sequence[str]) -> list[str | None]:
        """The label that follows these behind each prompt, None where the text ends."""
        before, end = self._around
        others = [label for label in self.labels if label not in (*labels, *self.alone)]
        if labels[-1] in self.alone or not others:
            return [None] * len(prompts)
        so_far = before + self.separator.join(labels)
        further = {f"{so_far}{self.separator}{label}": label for label in others}
        return [further.get(found.best.text) for found in model.choose(prompts, [so_far + end, *further])]


def _groups(model: BioGPT, prepared: Sequence[Prepared]) -> list[Sequence[Prepared]]:
    """Documents that are taken together: on a GPU all, on a CPU one, whose prompt is kept for all that is asked."""
    return [prepared] if model.device != "cpu" else [[one] for one in prepared]


def _check(name: str, text: str, labels: Sequence[str]) -> None:
    if text.count(_LABEL) != 1:
        raise ConfigError(f"task {name}: the sentence is {text!r}: give {_LABEL} in it, once")
    if len(set(labels)) < len(labels) or len(labels) < 2 or not all(map(str.strip, labels)):  # noqa: PLR2004 -- a choice
        raise ConfigError(f"task {name}: the labels are {labels!r}: give at least two, each of them once")


def _after(text: str, form: str) -> str | None:
    """What stands in place of the label; None where the sentence is another one."""
    before, _, end = form.partition(_LABEL)
    _, found, rest = text.partition(before.strip())
    return rest.strip().removesuffix(end.strip()).strip() if found else None
