"""The answering end of a measured process: one JSON object per line, in and out.

Needs the standard library alone, so that nothing is imported but what is measured.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TextIO

Handlers = Mapping[str, Callable[..., Mapping[str, object]]]
"""For each request its function: a request is `{name: {argument: value, ...}}`."""


def serve(load: Callable[[], tuple[Mapping[str, object], Handlers]]) -> None:
    """Loads what is measured, says a first line, then answers requests until standard input ends.

    An error while loading is said as `{"error": line}` and ends the process; one while answering is said, too, and the
    next request is answered. What libraries print on standard output goes to standard error.

    Args:
        load: returns the first line and the functions that answer.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            first, handlers = load()
        except Exception as error:  # noqa: BLE001 -- whoever started it is told
            _say(answers, _failure(error))
            return
        _say(answers, first)
        for line in sys.stdin:
            try:
                ((name, arguments),) = json.loads(line).items()
                answer = handlers[name](**arguments)
            except Exception as error:  # noqa: BLE001 -- whoever asks is told, and may go on
                answer = _failure(error)
            _say(answers, answer)


def _failure(error: Exception) -> Mapping[str, object]:
    traceback.print_exception(error)
    return {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def _say(answers: TextIO, answer: Mapping[str, object]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
