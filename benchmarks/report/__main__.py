"""Tables of the committed runs: `python -m benchmarks.report` prints them, `--write` puts them into their pages.

It also writes the numbers in the pages' prose that `figures.toml` names.
"""

import argparse
import sys

from benchmarks.processes import CHECKOUT
from benchmarks.report.pages import BENCHMARKS, PAGES, PICTURES, QUANTIZE, PageError
from benchmarks.report.runs import path_of, read_run

_OUTDATED = 1
_BAD_INPUT = 2


def main() -> int:
    """Prints, writes or checks the tables.

    Returns:
        1 where `--check` finds a page or picture that is not that of the runs, 2 where a page lacks its marks, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="put the tables and figures into their pages")
    action.add_argument(
        "--check", action="store_true", help="exit with 1 if a page has other tables than the runs give"
    )
    options = parser.parse_args()
    if not options.write and not options.check:
        _print_tables()
        return 0
    try:
        outdated = _update(write=options.write)
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    for name in outdated:
        print(f"{name} was written" if options.write else f"{name} is outdated: python -m benchmarks.report --write")
    return _OUTDATED if outdated and options.check else 0


def _print_tables() -> None:
    for table in (*BENCHMARKS.tables.values(), *QUANTIZE.tables.values()):
        if path_of(table.run).is_file():
            print(table.make(read_run(table.run)), end="\n\n")


def _update(*, write: bool) -> list[str]:
    """Returns the pages and pictures that are not those of the runs, after writing them if `write` is set."""
    outdated = []
    for page in PAGES:
        text = page.path.read_text(encoding="utf-8")
        updated = page.with_tables(text)
        if updated != text:
            outdated.append(str(page.path.relative_to(CHECKOUT)))
            if write:
                page.path.write_text(updated, encoding="utf-8")
    for copy, picture in PICTURES.items():
        if not copy.is_file() or copy.read_bytes() != picture.read_bytes():
            outdated.append(str(copy.relative_to(CHECKOUT)))
            if write:
                copy.write_bytes(picture.read_bytes())
    return outdated


if __name__ == "__main__":
    sys.exit(main())
