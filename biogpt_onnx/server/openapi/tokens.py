"""The description of the addresses of tokens and of choices."""

from biogpt_onnx.server.openapi import schemas
from biogpt_onnx.server.openapi.components import MODEL_FIELD
from biogpt_onnx.server.openapi.operations import Operation
from biogpt_onnx.server.openapi.schemas import flag, many, number, one_of, text, whole
from biogpt_onnx.server.settings import MAX_CHOICE_LENGTH, MAX_CHOICES, MAX_CHOICES_LENGTH, ServerSettings


def tokenize() -> Operation:
    """Returns the operation that turns a text into token ids."""
    return Operation(
        method="post",
        name="tokenize",
        summary="Returns the token ids of a text.",
        request=schemas.request(
            {"prompt": text("the text")},
            {
                "model": MODEL_FIELD,
                "add_special_tokens": flag("begin as prompts do (default true)"),
            },
        ),
        request_example={"prompt": "Aspirin inhibits"},
        answers=schemas.answer(
            {
                "count": whole("number of tokens"),
                "max_model_len": whole("most tokens of the model"),
                "tokens": many(whole("a token id"), "the tokens"),
            }
        ),
        example={"count": 3, "max_model_len": 1024, "tokens": [2, 4805, 1120]},
    )


def detokenize() -> Operation:
    """Returns the operation that turns token ids into a text."""
    return Operation(
        method="post",
        name="detokenize",
        summary="Returns the text of token ids.",
        request=schemas.request({"tokens": many(whole("a token id"), "the tokens")}, {"model": MODEL_FIELD}),
        request_example={"tokens": [2, 9]},
        answers=schemas.answer({"prompt": text("the text")}),
        example={"prompt": "Aspirin inhibits"},
    )


def tokenizer_info() -> Operation:
    """Returns the operation that describes the tokenizer."""
    return Operation(
        method="get",
        name="tokenizer_info",
        summary="Describes the tokenizer.",
        answers=schemas.answer(
            {
                "tokenizer_class": text("name of its class"),
                "vocab_size": whole("number of tokens that there are"),
                "bos_token": text("token that begins prompts"),
                "eos_token": text("token that ends texts"),
                "pad_token": text("token that pads"),
                "unk_token": text("token for what the vocabulary lacks"),
                "model_max_length": whole("most tokens of the model"),
                "chat_template": {"type": "null", "description": "there is none"},
            }
        ),
        example={
            "tokenizer_class": "BioGptTokenizer",
            "vocab_size": 42384,
            "bos_token": "</s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "model_max_length": 1024,
            "chat_template": None,
        },
    )


def choices(settings: ServerSettings) -> Operation:
    """Returns the operation that scores given continuations."""
    prompt, choice = text("a prompt"), text("a continuation", longest=MAX_CHOICE_LENGTH) | {"pattern": r"\S"}
    scored = schemas.answer(
        {
            "text": text("the choice"),
            "log_probability": schemas.or_null(number("of all its tokens together, in nats")),
            "probability": schemas.or_null(number("its share among all choices", 0, 1)),
        }
    )
    result = schemas.answer(
        {
            "index": whole("number of the prompt"),
            "best": text("the most probable choice"),
            "choices": many(scored, "all choices, in the order of the request"),
        }
    )
    return Operation(
        method="post",
        name="choose",
        summary="Says how probable each of several continuations of a prompt is.",
        request=schemas.request(
            {
                "prompt": schemas.either(
                    "the prompt, or several", prompt, many(prompt, "several", least=1, most=settings.max_prompts)
                ),
                "choices": many(
                    choice,
                    f"different continuations, of at most {MAX_CHOICES_LENGTH} characters together",
                    least=1,
                    most=MAX_CHOICES,
                )
                | {"uniqueItems": True},
            },
            {"model": MODEL_FIELD, "ends": flag("the text ends after the choice (default false)")},
        ),
        request_example={"prompt": "Cisplatin is", "choices": ["toxic", "harmless"]},
        answers=schemas.answer(
            {
                "object": one_of("what this is", ["choices"]),
                "model": text("name of the model"),
                "results": many(result, "a result for each prompt"),
                "usage": schemas.named("Usage"),
            }
        ),
        example={
            "object": "choices",
            "model": "biogpt",
            "results": [
                {
                    "index": 0,
                    "best": "toxic",
                    "choices": [
                        {"text": "toxic", "log_probability": -6.5, "probability": 0.75},
                        {"text": "harmless", "log_probability": -7.6, "probability": 0.25},
                    ],
                }
            ],
            "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4},
        },
        computes=True,
    )
