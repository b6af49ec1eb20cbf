"""Settings of the server: its name, its bounds and how long things may take."""

import dataclasses
from dataclasses import dataclass

from biogpt_onnx.runtime.decoding import checks
from biogpt_onnx.runtime.errors import ConfigError

MAX_LOGPROBS = 20
"""Most tokens that are listed for each place, as OpenAI's clients may ask for."""
MAX_STOP_STRINGS = 16
"""Most stop strings of a request."""
MAX_STOP_LENGTH = 256
"""Most characters of a stop string."""
MAX_BIASES = 1024
"""Most tokens with a bias in a request."""
MAX_CHOICES = 256
"""Most texts of which an answer may be one."""
MAX_CHOICE_LENGTH = 1000
"""Most characters of a choice, all of which are scored in one turn of the model."""


@dataclass(frozen=True)
class ServerSettings:
    """Settings of the server.

    Attributes:
        model_name: name by which requests may name the model; None for the name of the bundle's folder.
        max_rows: most sequences that are continued at a time; further ones wait.
        max_waiting: most sequences that wait; requests beyond are refused with status 429.
        max_prompts: most sequences that a request may ask for: its prompts or documents, times `n`.
        max_body_bytes: most bytes of a request's body.
        max_header_bytes: most bytes of a request's line and headers.
        max_connections: most connections at a time; further ones are refused with status 503.
        receive_seconds: seconds within which a request must have been received.
        answer_seconds: seconds after which a request is ended, with what there is of its answer.
        drain_seconds: seconds that running requests get after the signal to end.
        allowed_hosts: names by which clients may call the server, beside those of the machine itself.
        allowed_origins: origins whose pages may call the server from a browser, such as "https://intranet.example".
        has_page: True to serve the page at `/`.
    """

    model_name: str | None = None
    max_rows: int = 8
    max_waiting: int = 64
    max_prompts: int = 64
    max_body_bytes: int = 1_000_000
    max_header_bytes: int = 16_384
    max_connections: int = 512
    receive_seconds: float = 10.0
    answer_seconds: float = 300.0
    drain_seconds: float = 30.0
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    has_page: bool = True

    def __post_init__(self) -> None:
        """Refuses bad values.

        Raises:
            ConfigError: a value is bad; the message names the setting and the remedy.
        """
        for field in dataclasses.fields(self):
            if field.name.startswith("max_"):
                checks.whole_number(0 if field.name == "max_waiting" else 1)(field.name, getattr(self, field.name))
            elif field.name.endswith("_seconds"):
                checks.number(above=0)(field.name, getattr(self, field.name))
        if self.model_name is not None and not self.model_name.strip():
            raise ConfigError("model_name is empty: give a name, or leave it out")
        if self.max_prompts > self.capacity:
            raise ConfigError(
                f"max_prompts is {self.max_prompts}, but {self.max_rows} rows and {self.max_waiting} that wait are "
                f"{self.capacity}: lower it, or raise max_waiting"
            )

    @property
    def capacity(self) -> int:
        """Most sequences that run and wait together."""
        return self.max_rows + self.max_waiting
