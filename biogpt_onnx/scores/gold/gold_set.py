"""Documents with their gold answers."""

from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.gold.lexicon import Lexicon
from biogpt_onnx.tasks.document import Document

G_co = TypeVar("G_co", covariant=True)
_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class GoldSet(Generic[G_co]):
    """Documents whose answers are known.

    Attributes:
        documents: the documents.
        gold: the gold answer of each, in the same order.
        lexicon: the concepts that the entities' names stand for; None if gold answers hold names.
        form: "general" for relations that are read from the general form, which every task of relations takes;
            "published" for gold in the form of the task's own corpus.

    Raises:
        ConfigError: there are not as many gold answers as documents, or none.
    """

    documents: tuple[Document, ...]
    gold: tuple[G_co, ...]
    lexicon: Lexicon | None = None
    form: Literal["published", "general"] = "published"

    def __post_init__(self) -> None:
        if len(self.documents) != len(self.gold):
            raise ConfigError(f"{len(self.documents)} documents with {len(self.gold)} gold answers: give one of each")
        if not self.documents:
            raise ConfigError("a gold set has no documents: give at least one")


def annotated(gold_set: GoldSet[frozenset[_Fact]]) -> GoldSet[frozenset[_Fact]]:
    """Returns the documents that have at least one gold relation.

    Microsoft's preparation of the relation tasks leaves out the others, so published scores are about these.

    Raises:
        ConfigError: no document has any.
    """
    kept = [(document, facts) for document, facts in zip(gold_set.documents, gold_set.gold, strict=True) if facts]
    if not kept:
        raise ConfigError(f"none of {len(gold_set.documents)} gold documents has a relation: keep them all")
    documents, gold = zip(*kept, strict=True)
    return replace(gold_set, documents=documents, gold=gold)
