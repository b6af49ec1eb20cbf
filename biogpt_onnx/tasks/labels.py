"""Question answering and classification: tasks whose results are labels of a known set, with probabilities."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum
from typing import Any

from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.prefix import Prefix
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import ConfigError, PromptError
from biogpt_onnx.runtime.results import Choice, Choices, Generation, Usage
from biogpt_onnx.tasks.definitions.checks import check_settings, owner_of
from biogpt_onnx.tasks.definitions.suggestions import did_you_mean
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.prompts.checks import check_answering, check_results
from biogpt_onnx.tasks.prompts.source import SourceBuilder, ended_sentence, question_and_context
from biogpt_onnx.tasks.results import Answer, Classification

_LABEL = "{label}"
_CONFIG = GenerationConfig(max_new_tokens=128)

_Labelled = tuple[tuple[str, ...], tuple[str, ...], str, Generation | None]
"""The labels of a document, the unknown parts of the text that states them, the text, and its generation if any."""


@dataclass(frozen=True)
class AnswerTask:
    """Question answering with a few known answers.

    Attributes:
        name: The task's name, as a bundle's manifest records it.
        sentence: The sentence that gives the answer, with {label} in its place.
        labels: The known answers.
        soft_prompt_size: Rows of the soft prompt behind the source; None accepts any number.
        source: Makes the source text from question and context.
        config: The decoding of free answers.
        least_new_tokens: Number of positions that a prompt must leave for the answer.
        needs_question: False for a task whose source holds no question of the document's.
        min_score: The least probability of an answer; a less probable one is None.

    Raises:
        ConfigError: The sentence does not have {label} once, the labels are not at least two different ones, or
            `min_score` is no probability.
    """

    name: str
    sentence: str
    labels: tuple[str, ...]
    soft_prompt_size: int | None = 9
    source: SourceBuilder = question_and_context
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 32
    needs_question: bool = True
    min_score: float = 0.0

    def __post_init__(self) -> None:
        check_settings(owner_of(self), self)
        _check(self.name, self.sentence, self.labels)

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Answer]:
        """Answers questions, with the probability of each label.

        Args:
            model: A bundle of the task.
            prepared: The questions with their contexts.
            free: Takes the text that the model generates instead of the most probable label.

        Returns:
            The answer to each question.

        Raises:
            PromptError: A question is empty, and the task needs one.
        """
        check_answering(model, prepared, free=free)
        for one in prepared:
            if self.needs_question and not one.document.question.strip():
                raise PromptError("the question is empty: give a question for each context")
        if free:
            return [answer for group in _groups(model, prepared) for answer in self._freely(model, group)]
        found = model.choose_ids([one.prompt_ids for one in prepared], list(self._sentences), ends=True)
        return [self._most_probable(*pair) for pair in zip(prepared, found, strict=True)]

    def combine(self, results: Sequence[Answer]) -> Answer:
        """Returns the answer of the window that is most certain of it, from those of a document's windows in order.

        Most windows of a long text do not speak of the question; the one that does tends to be the most certain.

        Raises:
            ConfigError: There are no results, or they are of another type.
        """
        check_results(results, Answer)
        best = max(results, key=lambda answer: max(answer.probabilities.values(), default=0.0))
        usage = Usage.total(answer.usage for answer in results)
        return replace(best, read=max(answer.read for answer in results), usage=usage)

    def _most_probable(self, prepared: Prepared, choices: Choices) -> Answer:
        best = choices.best
        probabilities = self._probabilities(choices)
        label = self._probable(self._sentences[best.text], probabilities)
        return Answer(label, probabilities, best.log_probability, best.text, prepared.read, usage=prepared.usage())

    def _freely(self, model: BioGPT, group: Sequence[Prepared]) -> Iterator[Answer]:
        prompts = [model.prefix(one.prompt_ids) for one in group]
        found = model.choose(prompts, list(self._sentences), ends=True)
        generations = model.generate(prompts, self.config)
        for one, choices, generation in zip(group, found, generations, strict=True):
            text = generation.text.strip()
            label = _parsed_label(text, self.sentence)
            probabilities = self._probabilities(choices)
            known = self._probable(label, probabilities) if label in self.labels else None
            yield Answer(
                known,
                probabilities,
                generation.score,
                text,
                one.read,
                finish_reason=generation.finish_reason,
                usage=one.usage(generation),
            )

    def _probable(self, label: str, probabilities: Mapping[str, float]) -> str | None:
        """Returns a label; None if it is less probable than the task demands."""
        return label if probabilities[label] >= self.min_score else None

    @cached_property
    def _sentences(self) -> dict[str, str]:
        """The label of each answering sentence."""
        return {self.sentence.replace(_LABEL, label): label for label in self.labels}

    def _probabilities(self, choices: Choices) -> dict[str, float]:
        return {self._sentences[choice.text]: choice.probability for choice in choices.choices}


@dataclass(frozen=True)
class ClassificationTask:
    """Multi-label classification of documents.

    Attributes:
        name: The task's name, as a bundle's manifest records it.
        sentence: The sentence that gives the labels, with {label} in their place.
        labels: The known labels.
        separator: The text between two labels.
        alone: Labels that exclude all others.
        soft_prompt_size: Rows of the soft prompt behind the source; None accepts any number.
        source: Makes the source text from the document.
        config: The decoding of free answers.
        least_new_tokens: Number of positions that a prompt must leave for the answer.
        min_score: The least probability of a label where it is chosen: the first among all labels, each further one
            among the others and the end. A less probable one ends the labels; there may be none.

    Raises:
        ConfigError: The sentence does not have {label} once, the labels are not at least two different ones, one of
            `alone` is none of them, or `min_score` is no probability.
    """

    name: str
    sentence: str
    labels: tuple[str, ...]
    separator: str = "|"
    alone: tuple[str, ...] = ()
    soft_prompt_size: int | None = 1
    source: SourceBuilder = ended_sentence
    config: GenerationConfig = _CONFIG
    least_new_tokens: int = 128
    min_score: float = 0.0

    def __post_init__(self) -> None:
        check_settings(owner_of(self), self)
        _check(self.name, self.sentence, self.labels)
        unknown = next((label for label in self.alone if label not in self.labels), None)
        if unknown is not None:
            raise ConfigError(
                f"task {self.name}: {unknown!r} of `alone` is no label{did_you_mean(unknown, self.labels)}: known are "
                f"{', '.join(self.labels)}"
            )

    def answer(self, model: BioGPT, prepared: Sequence[Prepared], *, free: bool = False) -> list[Classification]:
        """Classifies documents, with the probability of each label to be the first one.

        The most probable first label is taken, then the most probable of the other labels or the end, and so on.

        Args:
            model: A bundle of the task.
            prepared: The documents.
            free: Takes the text that the model generates instead of the most probable labels.

        Returns:
            The classes of each document.

        Raises:
            ConfigError: `min_score` is set, and decoding is free, where labels have no probability of their own.
        """
        check_answering(model, prepared, free=free)
        if free and self.min_score:
            raise ConfigError(
                f"task {self.name}: min_score is {self.min_score}, but labels that are written freely have no "
                "probability each: leave out one of them"
            )
        return [
            classification
            for group in _groups(model, prepared)
            for classification in self._classified(model, group, free=free)
        ]

    def combine(self, results: Sequence[Classification]) -> Classification:
        """Combines the classes of a document's windows, in order.

        A label that one window has is the document's; one that excludes all others only if no window has another. The
        probabilities are the means, by which the labels are ordered.

        Raises:
            ConfigError: There are no results, or they are of another type or task.
        """
        check_results(results, Classification, self.labels)
        means = {label: fsum(result.probabilities[label] for result in results) / len(results) for label in self.labels}
        found = {label for result in results for label in result.labels}
        found = (found - set(self.alone)) or found
        labels = tuple(sorted(found, key=lambda label: -means[label]))
        before, end = self._around
        return Classification(
            labels=labels,
            probabilities=means,
            unparsed=tuple(text for result in results for text in result.unparsed),
            text=f"{before}{self.separator.join(labels)}{end}",
            read=max(result.read for result in results),
            finish_reason=results[-1].finish_reason,
            usage=Usage.total(result.usage for result in results),
        )

    @cached_property
    def _around(self) -> tuple[str, str]:
        """The sentence's texts before and behind the labels."""
        before, _, end = self.sentence.partition(_LABEL)
        return before, end

    def _classified(self, model: BioGPT, group: Sequence[Prepared], *, free: bool) -> Iterator[Classification]:
        prompts = [model.prefix(one.prompt_ids) for one in group]
        before, _ = self._around
        first = {before + label: label for label in self.labels}
        found = model.choose(prompts, list(first))
        results = (
            self._freely(model, prompts)
            if free
            else self._most_probable(model, prompts, [self._probable(first, choices.best) for choices in found])
        )
        for one, choices, (labels, unparsed, text, generation) in zip(group, found, results, strict=True):
            probabilities = {first[choice.text]: choice.probability for choice in choices.choices}
            yield Classification(
                labels,
                probabilities,
                unparsed,
                text,
                one.read,
                finish_reason=None if generation is None else generation.finish_reason,
                usage=one.usage(generation),
            )

    def _freely(self, model: BioGPT, prompts: Sequence[Prefix[Any]]) -> Iterator[_Labelled]:
        """Yields the labels of the texts that the model generates."""
        for generation in model.generate(prompts, self.config):
            text = generation.text.strip()
            parts = [part.strip() for part in (_parsed_label(text, self.sentence) or text).split(self.separator)]
            known = tuple(dict.fromkeys(label for label in parts if label in self.labels))
            yield known, tuple(part for part in parts if part and part not in self.labels), text, generation

    def _most_probable(
        self, model: BioGPT, prompts: Sequence[Prefix[Any]], first: Sequence[str | None]
    ) -> Iterator[_Labelled]:
        """Yields the most probable labels, given the first label of each prompt, or None for no label."""
        before, end = self._around
        labels: list[tuple[str, ...]] = [() if label is None else (label,) for label in first]
        unfinished = [index for index, label in enumerate(first) if label is not None]
        while unfinished:
            # Prompts whose labels are the same so far choose from the same texts, in one pass.
            alike: dict[tuple[str, ...], list[int]] = {}
            for index in unfinished:
                alike.setdefault(labels[index], []).append(index)
            unfinished = []
            for chosen, indices in alike.items():
                following = self._next(model, [prompts[index] for index in indices], chosen)
                for index, label in zip(indices, following, strict=True):
                    if label is not None:
                        labels[index] = (*chosen, label)
                        unfinished.append(index)
        return ((chosen, (), f"{before}{self.separator.join(chosen)}{end}", None) for chosen in labels)

    def _next(self, model: BioGPT, prompts: Sequence[Prefix[Any]], labels: Sequence[str]) -> list[str | None]:
        """Returns the label that follows these labels behind each prompt; None where the text ends."""
        before, end = self._around
        others = [label for label in self.labels if label not in (*labels, *self.alone)]
        if labels[-1] in self.alone or not others:
            return [None] * len(prompts)
        so_far = before + self.separator.join(labels)
        further = {f"{so_far}{self.separator}{label}": label for label in others}
        chosen = model.choose(prompts, [so_far + end, *further])
        return [self._probable(further, found.best) for found in chosen]

    def _probable(self, labels: Mapping[str, str], choice: Choice) -> str | None:
        """Returns the label that a text stands for; None if there is none, or a less probable one than demanded."""
        return labels.get(choice.text) if choice.probability >= self.min_score else None


def _groups(model: BioGPT, prepared: Sequence[Prepared]) -> list[Sequence[Prepared]]:
    """Returns the groups of documents that one pass takes.

    Where choices of many prompts are scored in one pass, the documents are one group. Otherwise each is its own group,
    so that its prompt is read once for all choices and one prompt at a time takes memory.
    """
    return [prepared] if model.chooses_together else [[one] for one in prepared]


def _check(name: str, text: str, labels: Sequence[str]) -> None:
    if text.count(_LABEL) != 1:
        raise ConfigError(f"task {name}: the sentence is {text!r}: give {_LABEL} in it, once")
    if len(set(labels)) < len(labels) or len(labels) < 2 or not all(map(str.strip, labels)):  # noqa: PLR2004 -- a choice
        raise ConfigError(f"task {name}: the labels are {labels!r}: give at least two, each of them once")


def _parsed_label(text: str, sentence: str) -> str | None:
    """Returns the text in the place of the label; None if the text is another sentence."""
    before, _, end = sentence.partition(_LABEL)
    _, found, rest = text.partition(before.strip())
    return rest.strip().removesuffix(end.strip()).strip() if found else None
