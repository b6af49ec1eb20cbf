"""Streams a text from `biogpt-onnx serve`, with the standard library alone.

    biogpt-onnx serve bundles/mini
    python examples/client.py "Aspirin inhibits"
    python examples/client.py "Aspirin inhibits" --url https://biogpt.example.org --key-file key

Prints the prompt and behind it each piece of text as it comes, then a line with the number of tokens and what ended the
text. Waits as long as the server says where its queue is full. Ending the program ends the text on the server too.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TRIES = 5
BUSY = (429, 503)
SECONDS = 330
"""Longer than a server lets an answer take, unless it was given more."""


def connect(url: str) -> HTTPConnection:
    """Returns a connection to a server; it is opened by its first request."""
    address = urlsplit(url)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    return kind(address.hostname or "127.0.0.1", address.port, timeout=SECONDS)


def ask(connection: HTTPConnection, key: str | None, content: dict[str, object]) -> HTTPResponse:
    """Asks for a completion, again while the server is busy; any other refusal ends the program with its message."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    for attempt in range(1, TRIES + 1):
        connection.request("POST", "/v1/completions", json.dumps(content), headers)
        response = connection.getresponse()
        if response.status == 200:  # noqa: PLR2004 -- the one status of success
            return response
        message = json.loads(response.read())["error"]["message"]
        if response.status not in BUSY or attempt == TRIES:
            break
        time.sleep(float(response.getheader("Retry-After", "1")))
    sys.exit(f"error: {message} (status {response.status})")


def events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yields the objects of a stream of events, which an event that is no object ends."""
    for line in response:
        name, _, data = line.decode().rstrip().partition(": ")
        if name != "data":
            continue
        if data == "[DONE]":
            return
        yield json.loads(data)


def print_events(response: HTTPResponse) -> None:
    """Prints the pieces of a text as they come, then its number of tokens and what ended it."""
    tokens, reason = 0, None
    for event in events(response):
        if "error" in event:
            sys.exit(f"\nerror: {event['error']['message']}")
        for choice in event["choices"]:
            print(choice["text"], end="", flush=True)
            reason = choice["finish_reason"] or reason
        tokens = event.get("usage", {}).get("completion_tokens", tokens)
    print(f"\n{tokens} tokens, ended by {reason}")


def main() -> None:
    """Reads the command line and prints a text while the server writes it."""
    parser = argparse.ArgumentParser(description="Streams a text from `biogpt-onnx serve`.")
    parser.add_argument("prompt", nargs="?", default="The patient was treated with", help="the text to continue")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the server is")
    parser.add_argument("--key-file", type=Path, help="file with the key, if the server wants one")
    parser.add_argument("--max-tokens", type=int, default=48, help="most tokens of the text")
    options = parser.parse_args()

    key = options.key_file.read_text(encoding="utf-8").strip() if options.key_file else None
    content: dict[str, object] = {
        "prompt": options.prompt,
        "max_tokens": options.max_tokens,
        "temperature": 0,
        "no_repeat_ngram_size": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with closing(connect(options.url)) as connection, ask(connection, key, content) as response:
        print(options.prompt, end="", flush=True)
        print_events(response)


if __name__ == "__main__":
    main()
