"""What became of a request: numbers and names for its log line and the metrics, never its text."""

from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

CLIENT_LEFT = 499
"""The status that is noted for a request whose client left before it was answered; it is never sent."""


@dataclass
class Outcome:
    """What became of a request.

    Attributes:
        request_id: id of the request.
        method: HTTP method.
        handler: pattern of the path that answered; "none" if there is no such path.
        status: HTTP status of the answer; 0 before it begins.
        has_left: True if the client left before the answer's end.
        num_sequences: number of sequences that it asked for.
        prompt_tokens: number of tokens of its prompts.
        new_tokens: number of tokens that were generated for it.
        finish_reasons: number of its sequences by the reason why they ended.
        began: time at which it came, of `perf_counter`.
    """

    request_id: str
    method: str
    handler: str = "none"
    status: int = 0
    has_left: bool = False
    num_sequences: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    finish_reasons: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds since the request came."""
        return perf_counter() - self.began

    @property
    def noted_status(self) -> int:
        """Status for the log and the metrics."""
        return CLIENT_LEFT if self.has_left else self.status
