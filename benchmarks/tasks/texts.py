"""Real documents for each of BioGPT's tasks, and the text generated for each: annotated relations, an answer, a class.

KD-DTI's own texts are not at hand: there the documents are BC5CDR's abstracts, and its relations are said in the words
of that task.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from biogpt_onnx import BioGPT
from biogpt_onnx.tasks import (
    BC5CDR,
    HALLMARKS,
    HOC,
    KD_DTI,
    PUBMEDQA,
    Document,
    Prepared,
    RelationTask,
    RunnableTask,
    prepare_for,
)

_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_MOST_NEW_TOKENS = 96


@dataclass(frozen=True)
class TaskExample:
    """A document with its prompt, and the tokens that are generated behind it, the ending one included."""

    prepared: Prepared
    target: tuple[int, ...]


@dataclass(frozen=True)
class Workload:
    """A task with documents.

    Attributes:
        name: of the task.
        task: with no soft prompt, because the measured weights have none.
        examples: the documents.
    """

    name: str
    task: RunnableTask[Any]
    examples: tuple[TaskExample, ...]


def workloads(model: BioGPT, data: Path, documents: int) -> list[Workload]:
    """Makes so many examples of each task.

    Args:
        model: its tokenizer and its number of positions make the prompts.
        data: a folder with `bc5cdr/valid.json` and `pubmedqa/valid.tsv`.
        documents: of each task.
    """
    abstracts = list(json.loads((data / "bc5cdr" / "valid.json").read_text(encoding="utf-8")).values())
    return [
        _relations(model, BC5CDR, abstracts, "", documents),
        _relations(model, KD_DTI, abstracts, "inhibitor", documents),
        _classes(model, abstracts, documents),
        _answers(model, data, documents),
    ]


def _relations(
    model: BioGPT, task: RelationTask, abstracts: list[dict[str, Any]], label: str, documents: int
) -> Workload:
    bare = replace(task, soft_prompt_size=0)

    def examples() -> Iterator[TaskExample]:
        for item in abstracts:
            pairs = list(_pairs(item))
            prepared = prepare_for(bare, model, Document(item["abstract"], title=item["title"]))
            statements = "; ".join(task.statement.format(head=head, tail=tail, relation=label) for head, tail in pairs)
            target = (*model.tokenizer.encode(f"{statements}.")[1:], model.tokenizer.eos_id)
            if pairs and len(target) <= _MOST_NEW_TOKENS and _is_allowed(bare, model, prepared, target):
                yield TaskExample(prepared, target)

    return Workload(task.name, bare, _first(examples(), documents))


def _pairs(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    forms = [
        {concept: name.lower() for name, concept in reversed(item[f"{kind}2id"].items())}
        for kind in ("chemical", "disease")
    ]
    for relation in item["relations"]:
        head, tail = (names.get(relation[kind]) for names, kind in zip(forms, ("chemical", "disease"), strict=True))
        if head and tail:
            yield head, tail


def _is_allowed(task: RelationTask, model: BioGPT, prepared: Prepared, target: tuple[int, ...]) -> bool:
    # The rule keeps to the document's words; an annotated name may be none of them.
    rule = task.constraint(model.tokenizer, prepared)
    return all(token in rule(target[:size]) for size, token in enumerate(target))


def _classes(model: BioGPT, abstracts: list[dict[str, Any]], documents: int) -> Workload:
    task = replace(HOC, soft_prompt_size=0)
    sentences = (sentence for item in abstracts for sentence in _SENTENCES.split(item["abstract"])[2:3])
    target = _sentence(model, HOC.sentence.replace("{label}", HALLMARKS[0]))
    examples = (TaskExample(prepare_for(task, model, sentence), target) for sentence in sentences)
    return Workload(task.name, task, _first(examples, documents))


def _answers(model: BioGPT, data: Path, documents: int) -> Workload:
    task = replace(PUBMEDQA, soft_prompt_size=0)

    def examples() -> Iterator[TaskExample]:
        for line in (data / "pubmedqa" / "valid.tsv").read_text(encoding="utf-8").splitlines():
            text, _, answer = line.rpartition("\t")
            question, _, context = text.partition(" answer: ")[0].removeprefix("question: ").partition(" context: ")
            target = _sentence(model, PUBMEDQA.sentence.replace("{label}", answer.strip()))
            yield TaskExample(prepare_for(task, model, Document(context, question=question)), target)

    return Workload(task.name, task, _first(examples(), documents))


def _sentence(model: BioGPT, text: str) -> tuple[int, ...]:
    return (*model.tokenizer.encode(text)[1:], model.tokenizer.eos_id)


def _first(examples: Iterator[TaskExample], documents: int) -> tuple[TaskExample, ...]:
    found = tuple(islice(examples, documents))
    if len(found) < documents:
        raise RuntimeError(f"the data holds {len(found)} documents of a task, {documents} are wanted")
    return found
