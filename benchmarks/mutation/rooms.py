"""Folders of code that mutants are drawn from, each with the tests that should notice them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """A folder of code and its tests.

    Attributes:
        code: the folder, relative to the checkout.
        tests: folders or files of tests, relative to the checkout.
    """

    code: str
    tests: tuple[str, ...]

    def files(self, checkout: Path) -> list[Path]:
        """Returns the Python files of the folder, in order."""
        return sorted((checkout / self.code).rglob("*.py"))


ROOMS = {
    "decoding": Room(
        "runtime/decoding",
        (
            "tests/runtime/decoding",
            # Strategies on a backend that selects a part of the scores itself.
            "tests/runtime/backends/cuda/test_beams.py",
            "tests/runtime/backends/cuda/test_continuations.py",
            "tests/runtime/backends/cuda/test_drafts.py",
        ),
    ),
    "tokenizer": Room("runtime/tokenizer", ("tests/runtime/tokenizer",)),
    "files": Room("biogpt_onnx/files", ("tests/files",)),
}
