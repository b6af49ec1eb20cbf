"""Model settings of a fairseq checkpoint, whatever classes its configuration is pickled with."""

import struct
from collections.abc import Mapping

from biogpt_onnx.export.checkpoint.files.inert_pickle import Inert
from biogpt_onnx.export.checkpoint.validate import printable
from biogpt_onnx.runtime.errors import CheckpointError

_ABSENT = object()
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
# NumPy's codes of numbers, with those of the module struct and their sizes in bytes.
_NUMPY_NUMBERS = {
    "b1": ("?", 1),
    "i1": ("b", 1),
    "i2": ("h", 2),
    "i4": ("i", 4),
    "i8": ("q", 8),
    "u1": ("B", 1),
    "u2": ("H", 2),
    "u4": ("I", 4),
    "u8": ("Q", 8),
    "f2": ("e", 2),
    "f4": ("f", 4),
    "f8": ("d", 8),
}


def model_settings(content: Mapping[object, object]) -> "Settings":
    """Returns the model's settings out of a checkpoint's content: `cfg.model`, or `args` in older checkpoints."""
    model = _lookup(content.get("cfg"), "model")
    return Settings(model if _is_holder(model) else content.get("args"))


class Settings:
    """Settings by name; None where the checkpoint does not have one.

    Programs have written them as strings, as floats and as numbers of NumPy, too; these are read as what they say. It
    is true if there are any settings.
    """

    def __init__(self, holder: object) -> None:
        self._holder = holder

    def __bool__(self) -> bool:
        """Returns True if there are settings."""
        return _is_holder(self._holder)

    def number(self, name: str) -> int | None:
        """Returns a setting that is a positive whole number.

        Raises:
            CheckpointError: it is something else.
        """
        value = self._value(name)
        if value is None:
            return None
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or value < 1:
            raise CheckpointError(f"{name} is {printable(_shown(value))}; it must be a whole number of 1 or more")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """Returns a setting that is True or False.

        Raises:
            CheckpointError: it is something else.
        """
        value = self._value(name)
        if value is None:
            return None
        text = str(value).strip().lower() if isinstance(value, bool | int | float | str) else ""
        if text not in _FLAGS:
            raise CheckpointError(f"{name} is {printable(_shown(value))}; it must be True or False")
        return _FLAGS[text]

    def text(self, name: str) -> str | None:
        """Returns a setting that is a string, or a member of an enumeration of strings.

        Raises:
            CheckpointError: it is something else.
        """
        value = self._value(name)
        # Python makes a member of its class and value, or of `getattr`, its class and name, which are alike here.
        match value:
            case Inert(arguments=(str(member),) | (_, str(member))):
                value = member
        if value is not None and not isinstance(value, str):
            raise CheckpointError(f"{name} is {printable(_shown(value))}; it must be a string")
        return value

    def _value(self, name: str) -> object:
        value = _lookup(self._holder, name)
        # A node of omegaconf keeps its value in `_val`.
        value = _lookup(value, "_val") if isinstance(value, Inert) and _has(value, "_val") else value
        return None if value is _ABSENT else _plain(value)


def _shown(value: object) -> str:
    return f"an object of {type(value).__name__}" if isinstance(value, Inert) else repr(value)


def _plain(value: object) -> object:
    """Returns the number that a scalar of NumPy holds; any other value as it is."""
    match value:
        case Inert(arguments=(Inert(arguments=(str(code), *_)), bytes(raw))) if code in _NUMPY_NUMBERS:
            kind, size = _NUMPY_NUMBERS[code]
            return struct.unpack(f"<{kind}", raw)[0] if len(raw) == size else value
    return value


def _is_holder(value: object) -> bool:
    return isinstance(value, Mapping | Inert)


def _has(holder: object, name: str) -> bool:
    return _lookup(holder, name) is not _ABSENT


def _lookup(holder: object, name: str) -> object:
    """Returns an entry of a mapping, an attribute of a namespace or a key of one of omegaconf's containers."""
    if isinstance(holder, Inert):
        state = holder.state
        content = state.get("_content") if isinstance(state, Mapping) else None
        holder = content if isinstance(content, Mapping) else state
    return holder.get(name, _ABSENT) if isinstance(holder, Mapping) else _ABSENT
