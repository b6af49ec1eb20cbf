"""The names in a document between which relations may be, as the model writes them."""

from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.tasks.fitting import Prepared
from biogpt_onnx.tasks.mentions import Mentions


def names_of_type(tokenizer: BioGptTokenizer, prepared: Prepared, wanted: str) -> list[tuple[int, ...]]:
    """The token ids of each name of a type that the model can write, each once, in the order in which they are given.

    Names that the part of the document that was read does not hold are left out, and those with characters that the
    vocabulary lacks even in ASCII.

    Args:
        tokenizer: whose tokens they are.
        prepared: a document that says what it names.
        wanted: the type, in any case; empty for any. A name without a type is of every type.
    """
    mentions, is_lower = Mentions(prepared.source), prepared.source.text == prepared.source.text.lower()
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
