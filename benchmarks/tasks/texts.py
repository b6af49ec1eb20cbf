"""Real documents for each of BioGPT's tasks, and what is written about each: annotated relations, answers, a class.

KD-DTI's own texts are not at hand: there the documents are BC5CDR's abstracts, and its relations are said in the words
of that task.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
class Asked:
    """A document that is ready to be read, and the tokens that are written about it, the ending one included."""

    prepared: Prepared
    target: tuple[int, ...]


@dataclass(frozen=True)
class Workload:
    """A task with documents.

    Attributes:
        name: of the task.
        task: with no soft prompt, because the measured weights have none.
        asked: the documents.
    """

    name: str
    task: RunnableTask[Any]
    asked: tuple[Asked, ...]


def workloads(model: BioGPT, data: Path, documents: int) -> list[Workload]:
    """So many documents of each task.

    Args:
        model: whose tokenizer and positions count.
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

    def asked() -> Iterator[Asked]:
        for item in abstracts:
            pairs = list(_pairs(item))
            prepared = prepare_for(bare, model, Document(item["abstract"], title=item["title"]))
            said = "; ".join(task.statement.format(head=head, tail=tail, relation=label) for head, tail in pairs)
            target = (*model.tokenizer.encode(f"{said}.")[1:], model.tokenizer.eos_id)
            if pairs and len(target) <= _MOST_NEW_TOKENS and _may_be_said(bare, model, prepared, target):
                yield Asked(prepared, target)

    return Workload(task.name, bare, _first(asked(), documents))


def _pairs(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    forms = [
        {concept: name.lower() for name, concept in reversed(item[f"{kind}2id"].items())}
        for kind in ("chemical", "disease")
    ]
    for relation in item["relations"]:
        head, tail = (names.get(relation[kind]) for names, kind in zip(forms, ("chemical", "disease"), strict=True))
        if head and tail:
            yield head, tail


def _may_be_said(task: RelationTask, model: BioGPT, prepared: Prepared, target: tuple[int, ...]) -> bool:
    rule = task.rule(model.tokenizer, prepared)
    return all(token in rule(target[:size]) for size, token in enumerate(target))


def _classes(model: BioGPT, abstracts: list[dict[str, Any]], documents: int) -> Workload:
    task = replace(HOC, soft_prompt_size=0)
    sentences = (sentence for item in abstracts for sentence in _SENTENCES.split(item["abstract"])[2:3])
    target = _sentence(model, HOC.sentence.replace("{label}", HALLMARKS[0]))
    asked = (Asked(prepare_for(task, model, sentence), target) for sentence in sentences)
    return Workload(task.name, task, _first(asked, documents))


def _answers(model: BioGPT, data: Path, documents: int) -> Workload:
    task = replace(PUBMEDQA, soft_prompt_size=0)

    def asked() -> Iterator[Asked]:
        for line in (data / "pubmedqa" / "valid.tsv").read_text(encoding="utf-8").splitlines():
            text, _, answer = line.rpartition("\t")
            question, _, context = text.partition(" answer: ")[0].removeprefix("question: ").partition(" context: ")
            target = _sentence(model, PUBMEDQA.sentence.replace("{label}", answer.strip()))
            yield Asked(prepare_for(task, model, Document(context, question=question)), target)

    return Workload(task.name, task, _first(asked(), documents))


def _sentence(model: BioGPT, text: str) -> tuple[int, ...]:
    return (*model.tokenizer.encode(text)[1:], model.tokenizer.eos_id)


def _first(asked: Iterator[Asked], documents: int) -> tuple[Asked, ...]:
    found = tuple(one for one, _ in zip(asked, range(documents), strict=False))
    if len(found) < documents:
        raise RuntimeError(f"the data holds {len(found)} documents of a task, {documents} are wanted")
    return found
