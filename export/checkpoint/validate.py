"""Checks that a checkpoint holds a BioGPT, which collect every problem."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import ParamSpec, TypeVar

import numpy as np

from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD, expected_shapes
from biogpt_onnx.export.checkpoint.tensor import FLOAT_DTYPES, CheckpointTensor
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError

P = ParamSpec("P")
T = TypeVar("T")

# Longer lists of names help nobody.
_MOST_NAMES = 4
_LONGEST_NAME = 80


class Problems:
    """Collection of a checkpoint's problems, so that a user learns of all at once.

    Attributes:
        notes: what a user should know of a checkpoint that can be used, each a line.
    """

    def __init__(self) -> None:
        self._messages: list[str] = []
        self.notes: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._messages)

    def add(self, *messages: str) -> None:
        """Adds messages, each once."""
        self._messages += [message for message in dict.fromkeys(messages) if message not in self._messages]

    def note(self, *messages: str) -> None:
        """Adds notes, each once."""
        self.notes += [message for message in dict.fromkeys(messages) if message not in self.notes]

    def collect(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Calls the function and returns its result; where it fails, adds the reason and returns None."""
        try:
            return function(*args, **kwargs)
        except VocabularyError as error:
            self.add(*error.problems)
        except CheckpointError as error:
            self.add(str(error))
        return None

    def error(self, source: object) -> CheckpointError:
        """Returns all problems as one error of one line, which names their source first."""
        return CheckpointError(f"{source}: " + "; ".join(self._messages))


def printable(name: str) -> str:
    """Returns a name out of a file in a form that is safe to print: without control characters, and not endless."""
    name = name if name.isprintable() else ascii(name)
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def canonical_tensors(
    stored: Mapping[str, CheckpointTensor], canonical_name: Callable[[str], str | None], problems: Problems
) -> dict[str, CheckpointTensor]:
    """Renames stored tensors to canonical names.

    Args:
        stored: tensors by stored name.
        canonical_name: maps a stored name to the canonical one, or None where a BioGPT has no such tensor.
        problems: gets the tensors that a BioGPT does not have, and those whose canonical name repeats.
    """
    tensors: dict[str, CheckpointTensor] = {}
    unexpected: list[str] = []
    repeated: list[str] = []
    for stored_name, tensor in stored.items():
        name = canonical_name(stored_name)
        if name is None:
            unexpected.append(stored_name)
        elif name in tensors:
            repeated.append(stored_name)
        else:
            tensors[name] = CheckpointTensor(name, tensor.shape, tensor.stored_dtype, tensor.rows)
    problems.add(*_listed("unexpected", unexpected), *_listed("repeated", repeated))
    return tensors


def check_tensors(
    architecture: Architecture,
    tensors: Mapping[str, CheckpointTensor],
    problems: Problems,
    head: ClassificationHead | None = None,
) -> None:
    """Adds every missing and surplus tensor, wrong shape and unsupported type to the problems."""
    expected = expected_shapes(architecture, head)
    problems.add(*_listed("missing", [name for name in expected if name not in tensors]))
    problems.add(*_listed("unexpected", [name for name in tensors if name not in expected]))
    shapes = [
        (name, f"is {list(tensors[name].shape)}, not {list(shape)}")
        for name, shape in expected.items()
        if name in tensors and tensors[name].shape != shape
    ]
    dtypes = [
        (name, f"holds {printable(tensor.stored_dtype)}, not one of {', '.join(FLOAT_DTYPES)}")
        for name, tensor in tensors.items()
        if tensor.stored_dtype not in FLOAT_DTYPES
    ]
    problems.add(*_collapsed(shapes), *_collapsed(dtypes))


def head_is_tied(tensors: Mapping[str, CheckpointTensor], problems: Problems, *, declared: bool | None) -> bool:
    """Returns True where the output head is the token embedding.

    Args:
        tensors: tensors by canonical name.
        problems: gets a head that differs although it is declared to be tied.
        declared: whether the checkpoint's configuration says that it is tied; None where it does not say.
    """
    head, embedding = tensors.get(HEAD), tensors.get(EMBEDDING)
    if head is None or embedding is None:
        return head is None and declared is not False
    if head.shape != embedding.shape or not {head.stored_dtype, embedding.stored_dtype} <= set(FLOAT_DTYPES):
        return False  # the check of shapes and types reports it
    if _equal(head, embedding):
        return True
    if declared:
        problems.add(f"{HEAD} differs from {EMBEDDING} although the configuration says that they are tied")
    return False


def _equal(head: CheckpointTensor, embedding: CheckpointTensor) -> bool:
    # Bits, so that a NaN equals itself; in chunks, because each of the two has hundreds of megabytes.
    return all(
        np.array_equal(
            head.read_rows(start, stop).view(np.uint32),
            embedding.read_rows(start, stop).view(np.uint32),
        )
        for start, stop in head.row_ranges()
    )


def _listed(what: str, names: list[str]) -> Iterable[str]:
    if names:
        shown = ", ".join(printable(name) for name in names[:_MOST_NAMES])
        noun = "tensor" if len(names) == 1 else "tensors"
        yield f"{what} {len(names)} {noun}: {shown}" + (", …" if len(names) > _MOST_NAMES else "")


def _collapsed(findings: list[tuple[str, str]]) -> Iterable[str]:
    """Merges findings that are equal in several decoder layers into one message."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, finding in findings:
        groups.setdefault((re.sub(r"^layers\.\d+\.", "layers.*.", name), finding), []).append(name)
    for (pattern, finding), names in groups.items():
        yield f"{names[0]} {finding}" if len(names) == 1 else f"{pattern} ({len(names)} tensors) {finding}"
