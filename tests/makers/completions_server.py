"""A server of /v1/completions without a model, for the programs that load servers: `completions_server.py PORT`.

Writes as many letters as it is asked for tokens. `behaviour` of a request, a field of its own, lets it fail.
"""

import asyncio
import json
import sys
from typing import Any

PAUSE = 0.002


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method = head.split(" ", 1)[0]
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-Length")), 0)
        body = json.loads(await reader.readexactly(length) or b"{}")
        await reply(method, body, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def reply(method: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    if method == "GET":
        found: dict[str, Any] = {"data": [{"id": "fake"}], "running": 0, "waiting": 0}
        return write_json(writer, 200, found)
    behaviour = body.get("behaviour")
    if behaviour == "busy":
        return write_json(writer, 429, {"error": {"message": "the queue is full"}})
    if not isinstance(body.get("prompt"), list):
        return write_json(writer, 400, {"error": {"message": "prompt is missing"}})
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    asked = body["max_tokens"] - (behaviour == "too few")
    for number in range(asked):
        reason = "length" if number + 1 == asked else None
        write_event(writer, {"choices": [{"index": 0, "text": chr(97 + number % 26), "finish_reason": reason}]})
        await writer.drain()
        await asyncio.sleep(PAUSE)
        if behaviour == "breaks":
            return None
        if behaviour == "error":
            return write_event(writer, {"error": {"message": "internal error"}})
    usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": asked}
    write_event(writer, {"choices": [], "usage": usage})
    write_chunk(writer, b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return None


def write_json(writer: asyncio.StreamWriter, status: int, content: object) -> None:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def write_event(writer: asyncio.StreamWriter, content: object) -> None:
    write_chunk(writer, b"data: " + json.dumps(content).encode() + b"\n\n")


def write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    # In two pieces, as a network may cut it.
    for piece in (data[:7], data[7:]):
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


async def main(port: int) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "broken":
        sys.exit("no such model")
    asyncio.run(main(int(sys.argv[1])))
