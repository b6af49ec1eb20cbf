"""Texts to token ids and back."""

from collections.abc import Mapping

from biogpt_onnx.server.endpoints.models import check_model
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.errors import bad_field
from biogpt_onnx.server.http.fields import Fields


async def tokenize(call: Call) -> Mapping[str, object]:
    """Returns the token ids of a text."""
    fields = await call.fields()
    check_model(call.service, fields.text("model"))
    text = fields.required_text("prompt")
    is_prompt = fields.flag("add_special_tokens")
    fields.done()
    model = call.service.model
    ids = await call.compute(lambda: model.tokenizer.encode(text))
    kept = ids if is_prompt in (None, True) else ids[1:]
    return {"count": len(kept), "max_model_len": model.manifest.architecture.max_positions, "tokens": kept}


async def detokenize(call: Call) -> Mapping[str, object]:
    """Returns the text of token ids."""
    fields = await call.fields()
    check_model(call.service, fields.text("model"))
    ids = token_ids(fields, "tokens", call.service.model.tokenizer.vocab_size)
    fields.done()
    text = await call.compute(lambda: call.service.model.tokenizer.decode(ids))
    return {"prompt": text}


async def tokenizer_info(call: Call) -> Mapping[str, object]:
    """Describes the tokenizer, as clients that tokenize with the server want to know it."""
    tokenizer = call.service.model.tokenizer
    return {
        "tokenizer_class": type(tokenizer).__name__,
        "vocab_size": tokenizer.vocab_size,
        "bos_token": "</s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": call.service.model.manifest.architecture.max_positions,
        "chat_template": None,
    }


def token_ids(fields: Fields, name: str, vocab_size: int) -> list[int]:
    """Returns a field that is a list of token ids.

    Raises:
        ApiError: it is missing, no list of whole numbers, or names tokens outside the vocabulary.
    """
    value = fields.value(name)
    if not isinstance(value, list):
        raise bad_field(name, "must be a list of token ids")
    return checked_ids(name, value, vocab_size)


def checked_ids(name: str, items: list[object], vocab_size: int) -> list[int]:
    """Returns items that are token ids.

    Raises:
        ApiError: they are no whole numbers, or outside the vocabulary.
    """
    if not all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item < vocab_size for item in items):
        raise bad_field(name, f"must hold token ids from 0 to {vocab_size - 1}")
    return [item for item in items if isinstance(item, int)]
