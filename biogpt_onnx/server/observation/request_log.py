"""The server's log: a line for each request, and where a fault of the server happened; no text of anybody."""

import json
import logging
import sys
import time
import traceback

from biogpt_onnx.server.observation.outcome import Outcome

LOGGER = logging.getLogger("biogpt_onnx.server")
"""The logger of all that the server says."""

_FIELDS = "fields"


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 -- its base
        """Returns the time of a record."""
        return _time(record)

    def format(self, record: logging.LogRecord) -> str:
        """Returns a record as a line of words and numbers."""
        line = super().format(record)
        fields = getattr(record, _FIELDS, {})
        return " ".join([line, *(f"{name}={_plain(value)}" for name, value in fields.items())])


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Returns a record as a JSON object."""
        head = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        return json.dumps(head | getattr(record, _FIELDS, {}))


def set_up_log(log_format: str) -> None:
    """Has the server log to standard error.

    Args:
        log_format: "text" for lines of words, "json" for a JSON object a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    for name, level in (("biogpt_onnx.server", logging.INFO), ("uvicorn.error", logging.CRITICAL)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def log_request(outcome: Outcome) -> None:
    """Logs what became of a request."""
    fields: dict[str, object] = {
        "request_id": outcome.request_id,
        "method": outcome.method,
        "handler": outcome.handler,
        "status": outcome.noted_status,
        "seconds": round(outcome.seconds, 4),
    }
    if outcome.num_sequences:
        fields |= {
            "sequences": outcome.num_sequences,
            "prompt_tokens": outcome.prompt_tokens,
            "new_tokens": outcome.new_tokens,
            "finish_reasons": dict(outcome.finish_reasons),
        }
    LOGGER.info("request", extra={_FIELDS: fields})


def log_fault(outcome: Outcome, error: BaseException) -> None:
    """Logs where a fault of the server happened. Its message is left out, which may quote a text."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    fields = {"request_id": outcome.request_id, "error": type(error).__name__, "frames": frames}
    LOGGER.error("fault", extra={_FIELDS: fields})


def _time(record: logging.LogRecord) -> str:
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{when}.{int(record.msecs):03}Z"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return " < ".join(map(str, reversed(value)))
    return str(value)
