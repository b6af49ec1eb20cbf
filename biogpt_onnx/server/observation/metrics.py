"""The server's metrics for Prometheus, by the names and buckets of vLLM with a prefix of their own."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from biogpt_onnx.runtime.concurrency.pass_report import PassReport
from biogpt_onnx.runtime.results import Timings
from biogpt_onnx.server.observation.outcome import Outcome

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Type of the metrics' text."""

_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_BETWEEN_TOKENS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5)
_REQUEST = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480)
_TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_LABEL = "model_name"


class Metrics:
    """The server's metrics, in a registry of their own.

    Args:
        model_name: label of all that concerns the model.
    """

    def __init__(self, model_name: str) -> None:
        self._registry = CollectorRegistry()
        self._model = model_name
        self._running = self._gauge("num_requests_running", "Sequences that are read, continued or scored.")
        self._waiting = self._gauge("num_requests_waiting", "Sequences that wait for their turn.")
        self._cache_usage = self._gauge("kv_cache_usage_perc", "Share of the key-value cache in use; 1 is all of it.")
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts.")
        self._new_tokens = self._counter("generation_tokens", "Tokens that were generated.")
        self._success = self._counter("request_success", "Sequences that ended, by reason.", "finished_reason")
        self._rejected = self._counter("requests_rejected", "Requests that were refused, by reason.", "reason")
        self._first = self._histogram("time_to_first_token_seconds", "Time from request to first token.", _FIRST_TOKEN)
        self._between = self._histogram("inter_token_latency_seconds", "Time from token to token.", _BETWEEN_TOKENS)
        self._whole = self._histogram("e2e_request_latency_seconds", "Time from request to answer.", _REQUEST)
        self._queue = self._histogram("request_queue_time_seconds", "Time before a prompt is read.", _REQUEST)
        self._prefill = self._histogram("request_prefill_time_seconds", "Time for reading a prompt.", _REQUEST)
        self._decode = self._histogram("request_decode_time_seconds", "Time after the first token.", _REQUEST)
        self._prompt_size = self._histogram("request_prompt_tokens", "Tokens of a prompt.", _TOKENS)
        self._answer_size = self._histogram("request_generation_tokens", "Tokens of an answer.", _TOKENS)
        self._iteration = self._histogram("iteration_tokens_total", "Tokens of a pass of the model.", _TOKENS)
        self._http = Counter(
            "biogpt_http_requests", "Requests by handler.", ["handler", "method", "status"], registry=self._registry
        )

    def set_load(self, running: int, waiting: int, cache_usage: float) -> None:
        """Sets what runs and waits now, and the share of the cache that is in use."""
        self._running.labels(self._model).set(running)
        self._waiting.labels(self._model).set(waiting)
        self._cache_usage.labels(self._model).set(cache_usage)

    def note_first_token(self, seconds: float) -> None:
        """Notes the time from a request to the first token of one of its sequences."""
        self._first.labels(self._model).observe(seconds)

    def note_next_token(self, seconds: float) -> None:
        """Notes the time from one token of a sequence to its next."""
        self._between.labels(self._model).observe(seconds)

    def count_tokens(self, *, prompt: int = 0, new: int = 0) -> None:
        """Counts tokens of prompts that were read, and tokens that were generated, when they are there."""
        self._prompt_tokens.labels(self._model).inc(prompt)
        self._new_tokens.labels(self._model).inc(new)

    def note_prompt(self, prompt_tokens: int, timings: Timings | None = None) -> None:
        """Notes a prompt whose answers have ended, and the times that it took if they are known."""
        self._prompt_size.labels(self._model).observe(prompt_tokens)
        if timings is not None:
            self._queue.labels(self._model).observe(timings.queue)
            self._prefill.labels(self._model).observe(timings.prefill)
            self._decode.labels(self._model).observe(timings.decode)

    def note_answer(self, new_tokens: int, finish_reason: str) -> None:
        """Notes a sequence that has ended."""
        self._answer_size.labels(self._model).observe(new_tokens)
        self._success.labels(self._model, finish_reason).inc()

    def note_pass(self, report: PassReport) -> None:
        """Notes a pass of the model; may be called from any thread."""
        if tokens := report.read_tokens + report.new_tokens:
            self._iteration.labels(self._model).observe(tokens)

    def note_rejection(self, reason: str) -> None:
        """Notes a request that was refused because of the load."""
        self._rejected.labels(self._model, reason).inc()

    def note_request(self, outcome: Outcome) -> None:
        """Notes a request that has ended."""
        self._http.labels(outcome.handler, outcome.method, str(outcome.noted_status)).inc()
        if outcome.finish_reasons:
            self._whole.labels(self._model).observe(outcome.seconds)

    def text(self) -> bytes:
        """Returns the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"biogpt_{name}", help_text, [_LABEL], registry=self._registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"biogpt_{name}", help_text, [_LABEL, *labels], registry=self._registry)

    def _histogram(self, name: str, help_text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"biogpt_{name}", help_text, [_LABEL], buckets=buckets, registry=self._registry)
