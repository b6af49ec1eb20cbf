"""The base of all results: a short line for people, and plain data for JSON."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_type_hints

import numpy as np

_MAX_TEXT = 48
_MAX_ITEMS = 3
_MAX_LINE = 240


@dataclass(frozen=True, repr=False)
class Result:
    """A result that shows itself in one line and turns itself into plain data.

    A subclass is a frozen dataclass made with `repr=False`. It says with its class arguments which of its fields and
    properties stand where.
    """

    _shown: ClassVar[tuple[str, ...]] = ()
    _computed: ClassVar[tuple[str, ...]] = ()
    _optional: ClassVar[tuple[str, ...]] = ()
    _hidden: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls,
        *,
        shown: tuple[str, ...] = (),
        computed: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        hidden: tuple[str, ...] = (),
    ) -> None:
        """Takes the class arguments.

        Args:
            shown: names that the short line shows; none for all fields.
            computed: properties that plain data hold beside the fields.
            optional: names that plain data leave out where the value is None or empty.
            hidden: fields that plain data and the short line never hold, in subclasses of the subclass neither.
        """
        super().__init_subclass__()
        cls._shown, cls._computed, cls._optional = shown, computed, optional
        cls._hidden = (*cls._hidden, *hidden)

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as plain data, as `json.dumps` takes them.

        Tuples become lists, the keys of mappings strings, results within the result dictionaries, and numbers that are
        not finite None.
        """
        values = {name: getattr(self, name) for name in (*self._field_names(), *self._computed)}
        return {
            name: plain_data(value)
            for name, value in values.items()
            if name not in self._optional or value not in (None, ())
        }

    def __repr__(self) -> str:
        """Returns the result in one line, in which long texts and lists are cut."""
        parts = (f"{name}={_brief(getattr(self, name))}" for name in self._shown or self._field_names())
        line = f"{type(self).__name__}({', '.join(parts)})"
        return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 2]}…)"

    @classmethod
    def types(cls) -> dict[str, Any]:
        """Returns the types of the values that plain data hold, as annotations, by name; see `to_dict`."""
        hints = get_type_hints(cls)
        computed = {name: get_type_hints(getattr(cls, name).fget)["return"] for name in cls._computed}
        return {name: hints[name] for name in cls._field_names()} | computed

    @classmethod
    def _field_names(cls) -> list[str]:
        """Returns the names of the fields that are not hidden; those that a base class adds come last."""
        fields = sorted(dataclasses.fields(cls), key=lambda field: bool(field.kw_only))
        return [field.name for field in fields if field.name not in cls._hidden]


def plain_data(value: Any) -> Any:  # noqa: ANN401 -- whatever a result holds
    """Returns the JSON form of a value; see `Result.to_dict`."""
    if isinstance(value, Result):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_data(each) for each in value]
    single = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(single, float) and not math.isfinite(single) else single


def _brief(value: object) -> str:
    """Returns a value in a few characters."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_TEXT else f"{value[: _MAX_TEXT - 1]}…")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return f"{{{_some([f'{_brief(key)}: {_brief(each)}' for key, each in value.items()])}}}"
    if isinstance(value, tuple):
        return f"({_some([_brief(each) for each in value])}{',' * (len(value) == 1)})"
    return repr(value)


def _some(items: list[str]) -> str:
    """Returns the first of several items, and the number of all where that is larger."""
    rest = [f"… {len(items):,} in all"] if len(items) > _MAX_ITEMS else []
    return ", ".join([*items[:_MAX_ITEMS], *rest])
