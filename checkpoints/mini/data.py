"""The annotated documents, and which of them are trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRAINED_VALID = 400  # of BC5CDR valid; the documents after these are held out
NUM_DEVELOPMENT = 20  # of each training set; watched while training, never trained on
ANSWERS = ("yes", "no", "maybe")

_ANSWER_MARK = " answer: "
_CONTEXT_MARK = " context: "
_QUESTION_MARK = "question: "


class DataError(ValueError):
    """A data file is missing or not what it should be."""


@dataclass(frozen=True)
class Abstract:
    """A text and its relations.

    Attributes:
        text: Title and abstract.
        relations: (chemical, disease), as the text spells them, in lower case.
        chemicals: The forms of each chemical, in lower case; of other corpora only those with a relation.
        diseases: The forms of each disease, likewise.
    """

    text: str
    relations: tuple[tuple[str, str], ...]
    chemicals: tuple[tuple[str, ...], ...] = ()
    diseases: tuple[tuple[str, ...], ...] = ()

    before_label: ClassVar[str] = ""

    @property
    def source(self) -> str:
        """What the relations are extracted from."""
        return self.text.lower()

    @property
    def target(self) -> str:
        """The relations as the sentence that is to be generated."""
        said = (f"the relation between {chem} and {dis} exists" for chem, dis in self.relations)
        return "; ".join(said) + "."


@dataclass(frozen=True)
class Question:
    """A PubMedQA item; ``conclusion`` is the abstract's own long answer.

    With ``shows_conclusion`` the model reads it too: PubMedQA's easier form, which needs no reasoning.
    """

    question: str
    context: str
    conclusion: str
    answer: str
    shows_conclusion: bool = False

    before_label: ClassVar[str] = "the answer to the question given the context is"

    @property
    def source(self) -> str:
        """The question and its context, with Microsoft's trailing space."""
        shown = f"{_ANSWER_MARK}{self.conclusion}" if self.shows_conclusion else ""
        return f"{_QUESTION_MARK}{self.question}{_CONTEXT_MARK}{self.context}{shown} "

    @property
    def target(self) -> str:
        """The answer as the sentence that is to be generated."""
        return f"{self.before_label} {self.answer}."


@dataclass(frozen=True)
class Split:
    """The documents of one role."""

    abstracts: tuple[Abstract, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Corpus:
    """All documents; development is cut from the training sets, held_out from the valid sets."""

    train: Split
    development: Split
    held_out: Split


def load_corpus(folder: Path) -> Corpus:
    """Read the four files under ``folder`` and part them into their roles."""
    abstracts = _read_abstracts(folder / "bc5cdr" / "train.json")
    valid = _read_abstracts(folder / "bc5cdr" / "valid.json")
    questions = _read_questions(folder / "pubmedqa" / "train.tsv")
    cut_a, cut_q = len(abstracts) - NUM_DEVELOPMENT, len(questions) - NUM_DEVELOPMENT
    return Corpus(
        Split((*abstracts[:cut_a], *valid[:TRAINED_VALID]), questions[:cut_q]),
        Split(abstracts[cut_a:], questions[cut_q:]),
        Split(valid[TRAINED_VALID:], _read_questions(folder / "pubmedqa" / "valid.tsv")),
    )


def join_title(title: str, abstract: str) -> str:
    """Join title and abstract as Microsoft's preprocessing of BC5CDR does."""
    ends_in_word = title[-1:].isalnum() or title.endswith("_")
    return f"{title}{'. ' if ends_in_word else ' '}{abstract}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot read {path}: name the folder that holds it") from error


def _read_abstracts(path: Path) -> tuple[Abstract, ...]:
    try:
        return tuple(_abstract(item) for item in json.loads(_read(path)).values())
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not BC5CDR as JSON: {error!r}") from error


def _abstract(item: dict[str, object]) -> Abstract:
    title, abstract, relations = item["title"], item["abstract"], item["relations"]
    chemicals, diseases = item["chemical2id"], item["disease2id"]
    if not isinstance(relations, list) or not isinstance(title, str):
        raise TypeError("title or relations")
    if not isinstance(chemicals, dict) or not isinstance(diseases, dict):
        raise TypeError("chemical2id or disease2id")
    text = join_title(title, str(abstract))
    pairs = [
        (
            _surface(text, chemicals, pair["chemical"]),
            _surface(text, diseases, pair["disease"]),
        )
        for pair in relations
    ]
    return Abstract(text, in_order(text, pairs), _forms(chemicals), _forms(diseases))


def in_order(text: str, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return each pair once, in the order in which the text names the chemicals and then the diseases."""
    lowered = text.lower()
    return tuple(sorted(dict.fromkeys(pairs), key=lambda pair: [_place(lowered, form) for form in pair]))


def _forms(concepts: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the forms of each concept together; a form without a concept is none's."""
    found: dict[str, list[str]] = {}
    for form, concept in concepts.items():
        if concept != "-1":
            found.setdefault(concept, []).append(form)
    return tuple(map(tuple, found.values()))


def _place(lowered: str, form: str) -> int:
    # str.find gives -1 for a form that is spelled otherwise in the text: those come last
    return lowered.find(form) % (len(lowered) + 1)


def _surface(text: str, forms: dict[str, str], concept: str) -> str:
    """Return the form of a MeSH concept that the document uses first, the longest if several."""
    lowered = text.lower()
    named = [form for form, ids in forms.items() if concept in ids.split("|")]
    if not named:
        raise KeyError(concept)
    return min(named, key=lambda form: (_place(lowered, form), -len(form)))


def _read_questions(path: Path) -> tuple[Question, ...]:
    try:
        return tuple(_question(line) for line in _read(path).split("\n") if line)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not PubMedQA as TSV: {error}") from error


def _question(line: str) -> Question:
    text, answer = line.split("\t")
    body, conclusion = text.split(_ANSWER_MARK, 1)
    question, context = body.removeprefix(_QUESTION_MARK).split(_CONTEXT_MARK, 1)
    return Question(question, context.strip(), conclusion.strip(), answer.strip())


def language_texts(split: Split, *, conclusions: bool = True) -> list[str]:
    """Return the running text of a split: abstracts, contexts and, if asked, conclusions."""
    texts = [document.text for document in split.abstracts]
    texts += [item.context for item in split.questions]
    return texts + [item.conclusion for item in split.questions] if conclusions else texts


def tasks(split: Split) -> Sequence[Abstract | Question]:
    """Return the documents of both tasks."""
    return [*split.abstracts, *split.questions]
