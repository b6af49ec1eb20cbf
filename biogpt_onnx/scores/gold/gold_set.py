"""Documents, and what is true of each."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.scores.lexicon import Lexicon
from biogpt_onnx.tasks.document import Document

G_co = TypeVar("G_co", covariant=True)
_Fact = TypeVar("_Fact")


@dataclass(frozen=True)
class GoldSet(Generic[G_co]):
    """Documents whose answers are known.

    Attributes:
        documents: what a model is asked about.
        gold: the truth about each, in the same order.
        lexicon: which concepts the entities' names stand for; None where gold is in names.

    Raises:
        ConfigError: there are not as many truths as documents, or none.
    """

    documents: tuple[Document, ...]
    gold: tuple[G_co, ...]
    lexicon: Lexicon | None = None

    def __post_init__(self) -> None:
        if len(self.documents) != len(self.gold):
            raise ConfigError(f"{len(self.documents)} documents with {len(self.gold)} gold answers: give one of each")
        if not self.documents:
            raise ConfigError("a gold set has no documents: give at least one")


def annotated(gold_set: GoldSet[frozenset[_Fact]]) -> GoldSet[frozenset[_Fact]]:
    """Only the documents of which anything is true.

    Microsoft's preparation of the relation tasks leaves out the others, so published scores are about these.

    Raises:
        ConfigError: there are none.
    """
    kept = [(document, facts) for document, facts in zip(gold_set.documents, gold_set.gold, strict=True) if facts]
    if not kept:
        raise ConfigError(f"none of {len(gold_set.documents)} gold documents has a relation: keep them all")
    documents, gold = zip(*kept, strict=True)
    return GoldSet(documents, gold, gold_set.lexicon)
