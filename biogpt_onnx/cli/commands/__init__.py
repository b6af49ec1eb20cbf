"""The commands. Each is a module or a folder of this package, imported when it runs, so that all start fast."""

import argparse
from importlib import import_module
from typing import Protocol, cast

COMMANDS = {
    "export": "Turns a checkpoint into a bundle.",
    "verify": "Compares a bundle with transformers on the checkpoint it was made from.",
    "quantize": "Makes a smaller bundle of a float32 one.",
    "evaluate": "Compares what a bundle answers with what its float32 baseline answers.",
    "bench": "Measures how fast bundles run on this machine.",
    "advise": "Says which bundle and how many threads suit this machine.",
    "generate": "Continues prompts.",
    "relations": "Extracts relations from documents.",
    "ask": "Answers questions about contexts.",
    "classify": "Classifies documents.",
    "tag": "Labels the tokens of documents, and finds entities.",
    "embed": "Turns documents into vectors.",
    "describe": "Describes terms.",
    "corpus": "Does a task on any number of documents, by any number of processes and machines.",
    "serve": "Answers requests over HTTP, as OpenAI's clients send them.",
    "web": "Packs a bundle into a static page that runs it in the browser.",
    "evaluate-task": "Scores what a bundle answers on documents whose answers are known.",
    "info": "Says what a bundle is.",
}
"""The help of each command, by its name."""


class Command(Protocol):
    """The module of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the command's arguments."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Runs the command and returns its exit code."""
        ...


def load_command(name: str) -> Command:
    """Imports the module of a command; of a part of a command, such as "corpus.merge", that of the part."""
    return cast("Command", import_module(f"{__name__}.{name.replace('-', '_')}"))
