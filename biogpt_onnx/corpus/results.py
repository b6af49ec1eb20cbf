"""Results of a work unit: a file with a line about them, then a record for each document."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from biogpt_onnx.corpus.publishing import publish
from biogpt_onnx.corpus.run import Run, Unit
from biogpt_onnx.corpus.units import UnitRow
from biogpt_onnx.files.records import Record, record_of
from biogpt_onnx.files.text.json_lines import json_line
from biogpt_onnx.runtime.errors import DocumentError

PLACE: Mapping[str, type] = {"number": int, "file": str, "line": int, "id": str}
"""The types of what stands before the result in each record, by name."""

MOST_EXAMPLES = 3
_MOST_KINDS = 50
_OTHER = "other errors"
# What differs from document to document, and might be of its text.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"\d[\d,.]*(?<![,.])")
_MOST_CHARACTERS = 200


@dataclass
class ErrorKind:
    """Errors of one kind.

    Attributes:
        count: Number of the documents that have such an error.
        examples: The first of these documents: the number in the run, the id, the input and the line.
    """

    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: "ErrorKind") -> None:
        """Adds errors of the same kind, which come later in the run."""
        self.count += other.count
        self.examples = [*self.examples, *other.examples][:MOST_EXAMPLES]


@dataclass(frozen=True)
class UnitResult:
    """What the first line of a unit's results says.

    Attributes:
        run: Digest of the run's description.
        unit: Digest of the unit's file.
        bundle: Digest of the bundle's manifest.
        documents: Number of documents.
        seconds: The time that the unit took.
        errors: The errors by their kinds.
        records_sha256: Digest of the lines of the records.
    """

    run: str
    unit: str
    bundle: str
    documents: int
    seconds: float
    errors: Mapping[str, ErrorKind]
    records_sha256: str

    @property
    def num_errors(self) -> int:
        """Number of documents without a result."""
        return sum(kind.count for kind in self.errors.values())


def record_of_row(run: Run, found: UnitRow, result: object) -> Record:
    """Returns the record of a row: its number in the run and its input, before what every record has."""
    name = run.input_name(found.input)
    file = name if found.member is None else f"{name}/{found.member}"
    return {"number": found.number, "file": file, **record_of(found.row, result)}


def publish_result(run: Run, unit: Unit, bundle: str, seconds: float, records: Iterable[Record]) -> UnitResult | None:
    """Writes the results of a unit, which appear at once unless there are some.

    Args:
        run: The run.
        unit: The unit.
        bundle: Digest of the bundle's manifest.
        seconds: The time that the unit took.
        records: A record for each document.

    Returns:
        What was written; None if results were there first.

    Raises:
        DocumentError: They cannot be written.
    """
    errors: dict[str, ErrorKind] = {}
    lines = []
    for record in records:
        lines.append(json_line(record))
        if "error" in record:
            _kind_of(record, errors).add(_single(record))
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    result = UnitResult(run.digest, unit.sha256, bundle, len(lines), round(seconds, 3), errors, digest)
    is_first = publish(run.result_file(unit), (json_line(asdict(result)), *lines))
    return result if is_first else None


def read_result(run: Run, unit: Unit) -> UnitResult | None:
    """Reads what the first line of a unit's results says; None if there are none.

    Raises:
        DocumentError: It is damaged, or the results are those of another run or unit.
    """
    path = run.result_file(unit)
    try:
        with path.open(encoding="utf-8") as lines:
            values = json.loads(lines.readline())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise _damaged(run, unit) from error
    try:
        errors = {kind: ErrorKind(**found) for kind, found in values.pop("errors").items()}
        result = UnitResult(**values, errors=errors)
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(run, unit) from error
    if (result.run, result.unit, result.documents) != (run.digest, unit.sha256, unit.documents):
        raise DocumentError(
            f"{path} holds results of another run or of other documents: remove it, and the next "
            "`biogpt-onnx corpus work` answers the unit again"
        )
    return result


def read_records(run: Run, unit: Unit, result: UnitResult) -> Iterator[str]:
    """Yields the lines of a unit's records, after all of them were checked.

    Raises:
        DocumentError: They are not as they were written.
    """
    content = run.result_file(unit).read_bytes().partition(b"\n")[2]
    if hashlib.sha256(content).hexdigest() != result.records_sha256:
        raise _damaged(run, unit)
    yield from (f"{line}\n" for line in content.decode().split("\n")[:-1])


def error_kind(message: str) -> str:
    """Returns an error's message without its numbers and quotations, in which errors of one kind differ."""
    plain = _NUMBER.sub("N", _QUOTED.sub("…", message))
    return plain if len(plain) <= _MOST_CHARACTERS else f"{plain[:_MOST_CHARACTERS]}…"


def most_frequent(errors: Mapping[str, ErrorKind], most: int) -> Iterator[tuple[str, ErrorKind]]:
    """Yields the most frequent kinds of errors, the most frequent first."""
    yield from islice(sorted(errors.items(), key=lambda item: (-item[1].count, item[0])), most)


def _kind_of(record: Record, errors: dict[str, ErrorKind]) -> ErrorKind:
    kind = error_kind(str(record["error"]))
    return errors.setdefault(kind if kind in errors or len(errors) < _MOST_KINDS else _OTHER, ErrorKind())


def _single(record: Record) -> ErrorKind:
    return ErrorKind(1, [{name: record[name] for name in ("number", "id", "file", "line")}])


def _damaged(run: Run, unit: Unit) -> DocumentError:
    return DocumentError(
        f"{run.result_file(unit)} is damaged: remove it, and the next `biogpt-onnx corpus work` answers the unit again"
    )
