"""Types of arguments that name a file, a folder or something else: an empty text is no name."""

import argparse
from pathlib import Path


def non_empty(text: str) -> str:
    """Returns the text of an argument, which must not be empty.

    An empty one is most often a variable of a script that was not set.

    Raises:
        ArgumentTypeError: It is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("an empty name was given: name one, or leave the argument out if it may be")
    return text


def non_empty_path(text: str) -> Path:
    """Returns the path of an argument, whose text must not be empty: as a path it would be the current folder.

    Raises:
        ArgumentTypeError: It is empty.
    """
    return Path(non_empty(text))
