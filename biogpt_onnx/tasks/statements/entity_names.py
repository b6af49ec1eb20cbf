"""Token ids of a document's named entities, as the model generates them."""

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.prompts.building import Prepared
from biogpt_onnx.tasks.statements.mentions import MentionFinder


def entity_names(tokenizer: BioGptTokenizer, prepared: Prepared, wanted: str) -> list[tuple[int, ...]]:
    """Encodes the names of a document's entities of one type.

    Names that the read part of the document does not hold are left out, and those with characters that the vocabulary
    lacks even in ASCII.

    Args:
        tokenizer: The model's tokenizer.
        prepared: A document with named entities, and its prompt.
        wanted: The type, in any case; empty for every type. An entity without a type is of every type.

    Returns:
        The token ids of each name, without duplicates, in the order of the document's entities.
    """
    mentions, is_lower = MentionFinder(prepared.source), prepared.source.text == prepared.source.text.lower()
    found: dict[tuple[int, ...], None] = {}
    for entity in prepared.document.entities or ():
        is_wanted = not wanted or not entity.type or entity.type.lower() == wanted.lower()
        if is_wanted and mentions.find(entity.text) is not None:
            ids = _ids(tokenizer, entity.text.lower() if is_lower else entity.text)
            if ids:
                found[ids] = None
    return list(found)


def _ids(tokenizer: BioGptTokenizer, name: str) -> tuple[int, ...]:
    for normalize_punctuation in (False, True):
        ids = tuple(tokenizer.encode(name, normalize_punctuation=normalize_punctuation)[1:])
        if tokenizer.unk_id not in ids:
            return ids
    return ()
