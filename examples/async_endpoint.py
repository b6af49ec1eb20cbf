"""Serves a model over HTTP by asyncio alone; a client that leaves ends its text.

    python examples/async_endpoint.py bundles/mini --port 8000
    curl -N "http://127.0.0.1:8000/?prompt=Aspirin+inhibits&max_new_tokens=48"

Answers each request with the continuation of `prompt`, piece by piece as plain text, and prints a line for each text:
how many tokens it has and what ended it. Ctrl-C ends the server. It is a beginning, without passwords and encryption.
"""

import argparse
import asyncio
import contextlib
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import biogpt_onnx

SECONDS_FOR_A_REQUEST = 10
HEAD = "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"


async def write_text(
    stream: biogpt_onnx.AsyncTextStream, slots: asyncio.Semaphore, writer: asyncio.StreamWriter
) -> None:
    """Writes a text while it is generated, as fast as the client reads it."""
    try:
        # Each text in progress needs memory and shares the cores, so only some are written at once.
        async with slots, stream:
            async for piece in stream:
                writer.write(piece.encode())
                await writer.drain()
    finally:
        if stream.generation is not None:
            print(f"{len(stream.generation.token_ids)} tokens, ended by {stream.generation.finish_reason}", flush=True)


async def answer(
    model: biogpt_onnx.BioGPT, slots: asyncio.Semaphore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers the only request of a connection, until its text or its client is at an end."""
    request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS_FOR_A_REQUEST)
    query = dict(parse_qsl(urlsplit(request.split(b" ")[1].decode("latin-1")).query))
    limit = query.get("max_new_tokens", "48")
    try:
        stream = model.astream(
            query.get("prompt", ""), max_new_tokens=int(limit) if limit.isdecimal() else 0, no_repeat_ngram_size=3
        )
    except biogpt_onnx.BioGptError as error:
        writer.write(f"{HEAD.format('400 Bad Request')}{error}\n".encode())
        return
    writer.write(HEAD.format("200 OK").encode())
    writing = asyncio.create_task(write_text(stream, slots, writer))
    # A client that leaves closes its side of the connection.
    leaving = asyncio.create_task(reader.read(1))
    await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (writing, leaving):
        task.cancel()
    await asyncio.gather(writing, leaving, return_exceptions=True)


async def handle(
    model: biogpt_onnx.BioGPT, slots: asyncio.Semaphore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers a connection and closes it; one that breaks off or sends no request is closed without a word."""
    broken = (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError)
    with contextlib.suppress(*broken):
        try:
            await answer(model, slots, reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()


async def serve(model: biogpt_onnx.BioGPT, port: int, texts_at_once: int) -> None:
    """Serves until the program is ended."""
    slots = asyncio.Semaphore(texts_at_once)
    server = await asyncio.start_server(partial(handle, model, slots), "127.0.0.1", port)
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}/?prompt=", flush=True)
    await server.serve_forever()


def main() -> None:
    """Reads the command line and serves a bundle."""
    parser = argparse.ArgumentParser(description="Serves a model over HTTP; a client that leaves ends its text.")
    parser.add_argument("bundle", help="a folder that `biogpt-onnx export` wrote")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on, 0 for any that is free")
    parser.add_argument("--texts-at-once", type=int, default=4, help="texts that are written at once; others wait")
    options = parser.parse_args()

    model = biogpt_onnx.load(options.bundle)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(model, options.port, options.texts_at_once))


if __name__ == "__main__":
    main()
