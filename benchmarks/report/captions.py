"""Tables with the sentences that say what they were measured on."""

from collections.abc import Sequence

from biogpt_onnx.reporting.markdown import table


def captioned(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table below its caption."""
    return f"{caption}\n\n{table(header, rows)}"


def ratios(values: dict[str, float], **names: str) -> str:
    """Returns ratios in words.

    Args:
        values: ratios by key.
        names: for each key what it is a ratio to.
    """
    return ", ".join(f"{values[key]:.2f} x {name}" for key, name in names.items())
