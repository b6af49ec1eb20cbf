"""Model settings of a fairseq checkpoint, whatever classes its configuration is pickled with."""

from collections.abc import Mapping

from biogpt_onnx.export.checkpoint.files.inert_pickle import Inert

_ABSENT = object()


def model_settings(content: Mapping[object, object]) -> "Settings":
    """Returns the model's settings out of a checkpoint's content: `cfg.model`, or `args` in older checkpoints."""
    model = _lookup(content.get("cfg"), "model")
    return Settings(model if _is_holder(model) else content.get("args"))


class Settings:
    """Settings by name; None where the checkpoint does not have one in a form that can be read."""

    def __init__(self, holder: object) -> None:
        self._holder = holder

    def number(self, name: str) -> int | None:
        """Returns a setting that is a positive whole number."""
        value = self._value(name)
        return value if type(value) is int and value > 0 else None

    def flag(self, name: str) -> bool | None:
        """Returns a setting that is True or False."""
        value = self._value(name)
        return value if isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """Returns a setting that is a string, or a member of an enumeration of strings."""
        value = self._value(name)
        if isinstance(value, Inert) and len(value.arguments) == 1:
            value = value.arguments[0]
        return value if isinstance(value, str) else None

    def _value(self, name: str) -> object:
        value = _lookup(self._holder, name)
        # A node of omegaconf keeps its value in `_val`.
        return _lookup(value, "_val") if isinstance(value, Inert) and _has(value, "_val") else value


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
