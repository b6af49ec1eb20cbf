"""Mutants of Python files, made by the operators of Cosmic Ray, and samples of them."""

import ast
import difflib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

Position = tuple[int, int]
"""A line, from 1, and a column, from 0."""


@dataclass(frozen=True)
class Mutant:
    """A change in one place of a file.

    Attributes:
        file: relative to the checkout.
        operator: Cosmic Ray's name of the operator that made it.
        line: where the change is, from 1.
        statement: the first and the last line of the statement that is changed; of a compound one its header.
        was: the changed lines as they are, without what indents them.
        became: the same lines after the change.
        source: the whole file after the change.
    """

    file: str
    operator: str
    line: int
    statement: tuple[int, int]
    was: str
    became: str
    source: str

    def to_dict(self) -> dict[str, object]:
        """Returns what a report says of it."""
        return {
            "file": self.file,
            "line": self.line,
            "operator": self.operator.rpartition("/")[2],
            "was": self.was,
            "became": self.became,
        }


def sample_mutants(checkout: Path, files: Sequence[Path], count: int, seed: str) -> list[Mutant]:
    """Draws mutants of these files, at most one for each place that an operator can change.

    Places are drawn first, so that one where twelve operators apply, such as a sum, is no likelier than one of a single
    operator. Type annotations are left alone, since nothing computes with them, and so are changes that do not compile.

    Args:
        checkout: the folder that the files' names are relative to.
        files: to be changed.
        count: of mutants; fewer where there are fewer places.
        seed: of the choice.
    """
    chooser = random.Random(seed)  # noqa: S311 -- a sample, not a secret
    sources = {path: path.read_text(encoding="utf-8") for path in files}
    places = [(path, place) for path in files for place in _places(sources[path]).items()]
    chooser.shuffle(places)
    found: list[Mutant] = []
    for path, (_, changes) in places:
        if len(found) == count:
            break
        operator, occurrence = chooser.choice(changes)
        mutant = _mutant(str(path.relative_to(checkout)), sources[path], operator, occurrence)
        found += [] if mutant is None else [mutant]
    return found


def _places(source: str) -> Mapping[tuple[Position, Position], list[tuple[str, int]]]:
    """Returns, for each place in a file, the operators that change it, each with the count of places before it."""
    left_alone = list(_annotations(ast.parse(source)))
    places: dict[tuple[Position, Position], list[tuple[str, int]]] = defaultdict(list)
    tree = get_ast(source)
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if kind.arguments():
            continue  # These two replace variables by random numbers, another one in each run.
        positions = (position for node in ast_nodes(tree) for position in kind().mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start and end <= last for first, last in left_alone):
                places[start, end].append((name, occurrence))
    return places


def _annotations(tree: ast.AST) -> Iterator[tuple[Position, Position]]:
    for node in ast.walk(tree):
        named: Iterable[ast.expr | None] = ()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named = (node.returns,)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            named = (node.annotation,)
        for part in named:
            if part is not None:
                yield (part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0)


def _mutant(file: str, source: str, operator: str, occurrence: int) -> Mutant | None:
    """Makes a mutant; None where the change is none, or is no Python."""
    changed: str | None = mutate_code(source, get_operator(operator)(), occurrence)
    if changed is None or not _compiles(changed):
        return None
    before, after = source.splitlines(), changed.splitlines()
    differences = [
        codes
        for codes in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if codes[0] != "equal"
    ]
    if not differences:
        return None
    (_, start, end, new_start, _), (*_, last_end, _, new_end) = differences[0], differences[-1]
    return Mutant(
        file,
        operator,
        start + 1,
        _statement(ast.parse(source), start + 1),
        _joined(before[start : max(end, last_end)]),
        _joined(after[new_start:new_end]),
        changed,
    )


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def _joined(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _statement(tree: ast.AST, line: int) -> tuple[int, int]:
    """Returns the lines of the innermost statement that a line is part of; of a compound one those of its header."""
    found = (line, line)
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.excepthandler):
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            # Outer nodes are walked before inner ones.
            if first <= line <= last:
                found = (first, last)
    return found
