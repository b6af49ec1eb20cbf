"""Text about the precisions of a bundle's layers, for bundles in which each layer has its own."""

from collections import Counter
from collections.abc import Iterator, Mapping

_SAID = {"int4": "4 bits", "int8": "8 bits", "fp32": "float32"}
_LAYERS = "layers."


def precisions_line(precisions: Mapping[str, str]) -> str:
    """Returns the number of layers of each precision in a line, given a manifest's `layer_precisions`."""
    linear = Counter(_SAID[precision] for name, precision in precisions.items() if name.startswith(_LAYERS))
    parts = [f"{linear[said]} in {said}" for said in _SAID.values() if linear[said]]
    tables = {_SAID[precision] for name, precision in precisions.items() if not name.startswith(_LAYERS)}
    return f"of {linear.total()} linear layers {', '.join(parts)}; embedding and head in {' and '.join(sorted(tables))}"


def precisions_table(precisions: Mapping[str, str]) -> str:
    """Returns a table with a line for each decoder layer and a column for each linear layer in it."""
    return "\n".join(_rows(precisions))


def _rows(precisions: Mapping[str, str]) -> Iterator[str]:
    layers: dict[str, dict[str, str]] = {}
    for name, precision in precisions.items():
        if name.startswith(_LAYERS):
            index, _, part = name.removeprefix(_LAYERS).partition(".")
            layers.setdefault(index, {})[part] = _SAID[precision]
    parts = list(dict.fromkeys(part for found in layers.values() for part in found))
    yield f"{'layer':<8}" + "".join(f"{part:>18}" for part in parts)
    # A manifest on disk has its names in alphabetical order, so "10" stands before "2".
    for index in sorted(layers, key=lambda text: (len(text), text)):
        yield f"{index:<8}" + "".join(f"{layers[index].get(part, ''):>18}" for part in parts)
