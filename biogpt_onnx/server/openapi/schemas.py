"""The pieces of JSON schemas."""

from collections.abc import Mapping, Sequence

from biogpt_onnx.server.http.fields import LARGEST

Schema = dict[str, object]
"""A JSON schema, or another object of an OpenAPI document."""


def text(description: str, *, longest: int | None = None) -> Schema:
    """Returns the schema of a string.

    Args:
        description: its meaning.
        longest: most characters; None for no bound.
    """
    bound: Schema = {} if longest is None else {"maxLength": longest}
    return {"type": "string", "description": description} | bound


def whole(description: str, least: int = 0, most: int = LARGEST) -> Schema:
    """Returns the schema of a whole number."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def number(description: str, least: float | None = None, most: float | None = None) -> Schema:
    """Returns the schema of a number; None for no bound."""
    bounds = {"minimum": least, "maximum": most}
    return {"type": "number", "description": description} | {
        name: bound for name, bound in bounds.items() if bound is not None
    }


def flag(description: str) -> Schema:
    """Returns the schema of true or false."""
    return {"type": "boolean", "description": description}


def one_of(description: str, options: Sequence[object]) -> Schema:
    """Returns the schema of one of several values."""
    return {"enum": list(options), "description": description}


def many(items: Schema, description: str, least: int = 0, most: int | None = None) -> Schema:
    """Returns the schema of a list.

    Args:
        items: schema of each item.
        description: its meaning.
        least: fewest items.
        most: most items; None for no bound.
    """
    bounds: Schema = {"minItems": least} if least else {}
    return (
        {"type": "array", "items": items, "description": description}
        | bounds
        | ({} if most is None else {"maxItems": most})
    )


def either(description: str, *schemas: Schema) -> Schema:
    """Returns the schema of what fits one of several."""
    return {"anyOf": list(schemas), "description": description}


def or_null(schema: Schema) -> Schema:
    """Returns the schema of what may be null."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return schema | {"type": [kind, "null"]}
    if "enum" in schema:
        options = schema["enum"]
        return schema | {"enum": [*options, None]} if isinstance(options, list) else schema
    return either(str(schema.get("description", "")), schema, {"type": "null"})


def request(required: Mapping[str, Schema], optional: Mapping[str, Schema]) -> Schema:
    """Returns the schema of an object that a client sends; fields that may be left out may be null as well.

    Args:
        required: fields that must be there.
        optional: fields that may be left out. No others are allowed.
    """
    return {
        "type": "object",
        "required": list(required),
        "properties": dict(required) | {name: or_null(schema) for name, schema in optional.items()},
        "additionalProperties": False,
    }


def answer(fields: Mapping[str, Schema], optional: Sequence[str] = ()) -> Schema:
    """Returns the schema of an object that the server sends; more fields may be added in later versions.

    Args:
        fields: the fields.
        optional: names of those that are not always there.
    """
    return {
        "type": "object",
        "required": [name for name in fields if name not in optional],
        "properties": dict(fields),
    }


def named(name: str) -> Schema:
    """Returns a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
