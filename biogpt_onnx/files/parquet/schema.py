"""Columns of results: the types of Parquet's columns by those of the results' fields."""

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from biogpt_onnx.files.parquet.library import PyArrow
from biogpt_onnx.runtime.result_base import Result

_PLAIN = {str: "string", int: "int64", float: "float64", bool: "bool_"}


def schema_of(pyarrow: PyArrow, places: Mapping[str, type], result: type[Result]) -> Any:  # noqa: ANN401 -- the library has no types
    """Returns the schema of a table of records: their places, the values of their results, and an error.

    A tuple is a list, a mapping a map, and a result within the result a struct. Every value may be null.

    Args:
        pyarrow: The library.
        places: The types of what stands before each result, by name.
        result: The class of the results.
    """
    arrow = pyarrow.arrow
    fields = {**places, **result.types(), "error": str}
    return arrow.schema([(name, _type_of(arrow, kind)) for name, kind in fields.items()])


def mappings_of(result: type[Result]) -> tuple[str, ...]:
    """Returns the names of a result's values that are mappings."""
    return tuple(name for name, kind in result.types().items() if get_origin(kind) is Mapping)


def _type_of(arrow: Any, hint: Any) -> Any:  # noqa: ANN401 -- the library has no types
    """Returns the type of a column by the type of its values.

    Raises:
        TypeError: There is none.
    """
    if hint in _PLAIN:
        return getattr(arrow, _PLAIN[hint])()
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        (value,) = (part for part in parts if part is not type(None))
        return _type_of(arrow, value)
    if origin is Literal:
        return arrow.string()
    if origin is tuple:
        # (start, end) and (value, ...) are lists in JSON as well.
        return arrow.list_(_type_of(arrow, parts[0]))
    if origin is Mapping:
        return arrow.map_(*(_type_of(arrow, part) for part in parts))
    if isinstance(hint, type) and issubclass(hint, Result):
        return arrow.struct([(name, _type_of(arrow, kind)) for name, kind in hint.types().items()])
    raise TypeError(f"no column holds {hint}")
