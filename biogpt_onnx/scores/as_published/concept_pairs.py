"""BC5CDR counted as Microsoft's post-processing and the corpus's official evaluator do.

Beside our own figures:

- A name is looked up as it is written, where ours takes the document's spelling and any case.
- Of several "and" the last one divides chemical and disease, where ours takes the one whose parts the document holds.
- What a statement says behind "exists" is ignored, and a statement ends at any semicolon.
- Documents without a true relation are not counted; the preparation of the data leaves them out.
"""

from collections.abc import Sequence

from biogpt_onnx.scores.as_published.figures import PublishedFigures, check_countable, fraction
from biogpt_onnx.scores.as_published.lines import LineReader, StatementReader
from biogpt_onnx.scores.gold.concept_pairs import ConceptPair
from biogpt_onnx.scores.gold.gold_set import GoldSet
from biogpt_onnx.scores.gold.lexicon import UNKNOWN, Lexicon
from biogpt_onnx.tasks.published import BC5CDR
from biogpt_onnx.tasks.results import Relations
from biogpt_onnx.tasks.statements.template import HEAD, TAIL

_READER = StatementReader(
    BC5CDR.statement,
    separator=";",
    # The comma stands apart as in tokenized text, so that this opening is found in no other.
    lines=LineReader(("in conclusion ,", "we can conclude that", "we have that")),
    strips=True,
)


def published_concepts(
    gold_set: GoldSet[frozenset[ConceptPair]], predictions: Sequence[Relations], lexicon: Lexicon
) -> PublishedFigures:
    """Counts pairs of concepts over all documents.

    Args:
        gold_set: the documents with their gold pairs.
        predictions: the model's relations of each document.
        lexicon: concepts by names in lower case.

    Raises:
        ConfigError: no document has a relation.
    """
    kept = [(gold, one.text) for gold, one in zip(gold_set.gold, predictions, strict=True) if gold]
    check_countable(len(kept))
    pairs = [_pairs(text, lexicon) for _, text in kept]
    matched = sum(len(found & gold) for found, (gold, _) in zip(pairs, kept, strict=True))
    predicted, true = sum(map(len, pairs)), sum(len(gold) for gold, _ in kept)
    return PublishedFigures(
        "Microsoft's post-processing and the official evaluator of BC5CDR",
        documents=len(kept),
        failed=sum(not each for each in pairs),
        counts={"true positives": matched, "false positives": predicted - matched, "false negatives": true - matched},
        figures={
            "precision": fraction(matched, predicted),
            "recall": fraction(matched, true),
            "F1": fraction(2 * matched, predicted + true),
        },
    )


def _pairs(text: str, lexicon: Lexicon) -> frozenset[ConceptPair]:
    return frozenset(
        (lexicon.chemicals.get(each[HEAD], UNKNOWN), lexicon.diseases.get(each[TAIL], UNKNOWN))
        for each in _READER.statements(text)
    )
