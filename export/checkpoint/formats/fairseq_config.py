"""What a fairseq checkpoint says about its model, whatever objects it says it with."""

from collections.abc import Mapping

from biogpt_onnx.export.checkpoint.files.inert_pickle import Inert

_ABSENT = object()


def model_settings(content: Mapping[object, object]) -> "Settings":
    """The settings of the model: `cfg.model`, or `args` in older checkpoints."""
    model = _lookup(content.get("cfg"), "model")
    return Settings(model if _is_holder(model) else content.get("args"))


class Settings:
    """Settings by name; None for those that the checkpoint does not say, or not in a way that can be read."""

    def __init__(self, holder: object) -> None:
        self._holder = holder

    def number(self, name: str) -> int | None:
        """A positive whole number."""
        value = self._value(name)
        return value if type(value) is int and value > 0 else None

    def flag(self, name: str) -> bool | None:
        """True or False."""
        value = self._value(name)
        return value if isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """A string, or the value of an enumeration of strings."""
        value = self._value(name)
        if isinstance(value, Inert) and len(value.arguments) == 1:
            value = value.arguments[0]
        return value if isinstance(value, str) else None

    def _value(self, name: str) -> object:
        value = _lookup(self._holder, name)
        # A node of omegaconf keeps its value so.
        return _lookup(value, "_val") if isinstance(value, Inert) and _has(value, "_val") else value


def _is_holder(value: object) -> bool:
    return isinstance(value, Mapping | Inert)


def _has(holder: object, name: str) -> bool:
    return _lookup(holder, name) is not _ABSENT


def _lookup(holder: object, name: str) -> object:
    """An entry of a mapping, an attribute of a namespace or a key of one of omegaconf's containers."""
    if isinstance(holder, Inert):
        state = holder.state
        content = state.get("_content") if isinstance(state, Mapping) else None
        holder = content if isinstance(content, Mapping) else state
    return holder.get(name, _ABSENT) if isinstance(holder, Mapping) else _ABSENT
