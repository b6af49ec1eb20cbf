"""Predicted relations of BC5CDR as pairs of concepts, whatever names the model gives them.

Scores follow the official evaluator (`bc5cdr_eval.jar`, relation CID) behind Microsoft's script, which looks names up
in the lexicon of the split:

- Pairs of a document are a set: several names of one concept are one prediction.
- A name that the lexicon lacks has the id "-1", and its pairs are false positives, since no true relation has it. The
  evaluator puts all such names of a document together, and so do we: they are as many errors as they have partners.
- A name of several concepts has the id "a|b". The evaluator splits such ids where it scores mentions, but not where it
  scores relations, so the pair is right only where the gold has the same id. Splitting it would make one statement
  count as two predictions and scores incomparable. The published files have no such id.
- The evaluator ignores what is predicted of documents without a true relation, of which BC5CDR has none. Here these
  are false positives; `annotated` leaves such documents out.
"""

from collections.abc import Sequence

from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.lexicon import UNKNOWN, Lexicon
from biogpt_onnx.tasks.results import Relations


def predicted_pairs(predictions: Sequence[Relations], lexicon: Lexicon) -> tuple[frozenset[ConceptPair], ...]:
    """Returns the pairs of concepts that a model stated of each document.

    Args:
        predictions: the relations of each document, by names.
        lexicon: the names' concepts.
    """
    return tuple(
        frozenset((lexicon.chemical(each.head), lexicon.disease(each.tail)) for each in prediction.relations)
        for prediction in predictions
    )


def num_unknown(pairs: Sequence[frozenset[ConceptPair]]) -> int:
    """Returns the number of predicted pairs with an entity that the lexicon lacks."""
    return sum(UNKNOWN in pair for each in pairs for pair in each)
