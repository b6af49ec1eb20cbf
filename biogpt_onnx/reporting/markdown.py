"""Tables in Markdown."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table whose first column is aligned as text and whose other columns as numbers.

    Vertical bars inside cells are escaped, so that they do not begin another column.

    Args:
        header: the columns' names.
        rows: the cells of each row, as many as the header has.
    """
    rule = ["---", *("---:" for _ in header[1:])]
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
