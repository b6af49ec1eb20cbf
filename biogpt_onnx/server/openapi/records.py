"""The schemas of documents and of the records that are made of them."""

from biogpt_onnx.server.openapi import schemas
from biogpt_onnx.server.openapi.schemas import Schema, flag, many, number, one_of, text, whole

_SPAN = {
    "type": ["array", "null"],
    "items": {"type": "integer"},
    "minItems": 2,
    "maxItems": 2,
    "description": "start and end in title, space and text, the end excluded; null if they do not hold it",
}
_FINISH_REASONS = ("eos", "length", "stop", "time", None)


def document_schema(*, with_question: bool, with_entities: bool) -> Schema:
    """Returns the schema of a document. Its other fields are ignored, as the commands do with those of files.

    Args:
        with_question: True for documents of which something is asked.
        with_entities: True for documents that may name entities.
    """
    fields = {
        "id": {"type": ["string", "integer", "null"], "description": "identifier, which its record repeats"},
        "title": schemas.or_null(text("title above the text")),
        "text": text("the text"),
    }
    if with_question:
        fields["question"] = schemas.or_null(text("what is asked about the text"))
        fields["conclusion"] = schemas.or_null(text("conclusion of the text, read with with_conclusion alone"))
    if with_entities:
        fields["entities"] = many(_entity(), "what the text names, read with given_entities alone")
    described: Schema = {"type": "object", "required": ["text"], "properties": fields}
    return schemas.either("a document; the record of anything else is an error", described, {})


def relations_record() -> Schema:
    """Returns the schema of the relations of a document."""
    name = schemas.or_null(text("id of the concept of a given entity"))
    relation = schemas.answer(
        {
            "head": text("first entity"),
            "relation": text("name of the relation"),
            "tail": text("second entity"),
            "head_span": _SPAN,
            "tail_span": _SPAN,
            "score": schemas.or_null(number("log-probability of the statement, in nats")),
            "head_concept": name,
            "tail_concept": name,
            "in_source": flag("the document holds both entities"),
        }
    )
    return _record(
        {
            "relations": many(relation, "the relations"),
            "unparsed": _texts("parts of the generated text that state no relation"),
            "read": whole("characters that were read"),
            "complete": flag("the model has ended its text"),
        }
    )


def answers_record() -> Schema:
    """Returns the schema of the answer to a question."""
    return _record(
        {
            "label": schemas.or_null(text("the most probable answer")),
            "probabilities": _probabilities(),
            "score": schemas.or_null(number("log-probability of the answering sentence, in nats")),
            "read": whole("characters that were read"),
        }
    )


def classifications_record() -> Schema:
    """Returns the schema of the classes of a document."""
    return _record(
        {
            "labels": _texts("the classes"),
            "probabilities": _probabilities(),
            "unparsed": _texts("parts of a free answer that are no class"),
            "read": whole("characters that were read"),
        }
    )


def descriptions_record() -> Schema:
    """Returns the schema of a text about a term."""
    return _record(
        {
            "score": schemas.or_null(number("log-probability by which beams are compared")),
            "complete": flag("the model has ended the text"),
        }
    )


def _entity() -> Schema:
    described: Schema = {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": text("name of the entity"),
            "type": schemas.or_null(text("its type")),
            "span": _SPAN,
            "concept": {"type": ["string", "integer", "null"], "description": "id of its concept"},
        },
    }
    return schemas.either("an entity", text("name of the entity"), described)


def _record(fields: dict[str, Schema]) -> Schema:
    place = {
        "line": whole("number of the document, from 1", 1),
        "id": schemas.or_null(text("identifier of the document")),
    }
    tokens = schemas.answer(
        {
            "prompt_tokens": whole("tokens that were read"),
            "new_tokens": whole("tokens that were generated"),
            "dropped_tokens": whole("tokens that were left out of a document that was cut"),
        }
    )
    found = fields | {
        "text": text("the generated text"),
        "usage": tokens,
        "finish_reason": one_of("reason why the text ended; null if nothing was generated", _FINISH_REASONS),
    }
    return schemas.either(
        "a result, or the error of a document without one",
        schemas.answer(place | found),
        schemas.answer(place | {"error": text("what is wrong with the document and what to do")}),
    )


def _probabilities() -> Schema:
    return {
        "type": "object",
        "additionalProperties": {"type": ["number", "null"]},
        "description": "probability of each label",
    }


def _texts(description: str) -> Schema:
    return many({"type": "string"}, description)
