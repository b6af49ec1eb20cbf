"""A contender without a model: `fake_contender.py NAME THREADS [--log FILE] [--behaviour WORD]`."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def answer(name: str, arguments: dict[str, Any], behaviour: str) -> dict[str, Any]:
    plain: dict[str, dict[str, Any]] = {
        "settle": {"error": "it still loads"} if behaviour == "never settles" else {},
        "memory": {"resident_bytes": 1000, "anonymous_bytes": 500, "peak_resident_bytes": 2000},
    }
    if name in plain:
        return plain[name]
    if name == "logits":
        rows = np.tile(np.arange(16, dtype=np.float32), (len(arguments["ids"]), 1))
        np.save(arguments["file"], rows * (32 if behaviour == "scaled" else 1))
        return {"rows": len(rows)}
    if behaviour == "no-beams" and arguments["num_beams"] > 1:
        return {"unsupported": "there are no beams"}
    if behaviour == "fails":
        return {"error": "the model fell over"}
    if behaviour == "hangs":
        time.sleep(3600)
    if behaviour == "dies":
        sys.stderr.write("a library complains\n")
        sys.exit(3)
    if behaviour == "short":
        return {"seconds": [0.5, 1.0]}
    new_tokens = arguments["new_tokens"]
    seconds = [0.1 + 0.01 * number for number in range(new_tokens)]
    return {"seconds": seconds[-1:] if behaviour == "total" else seconds}


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("threads", type=int)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--behaviour", default="steps")
    options = parser.parse_args()
    if options.behaviour == "absent":
        say({"error": "its library is missing"})
        return 1
    if options.behaviour == "babbles":
        sys.stdout.write("Loading checkpoint shards\n")
        return 0
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    first = {"load_seconds": 0.5, "resident_bytes": 1000, "anonymous_bytes": 500, "versions": {"fake": "1.0"}}
    say(first | {"cores": cores, "settles": "settles" in options.behaviour})
    for line in sys.stdin:
        ((name, arguments),) = json.loads(line).items()
        if options.log and name in {"generate", "settle"}:
            what = f"{len(arguments['prompts'][0])} {arguments['new_tokens']}" if arguments else name
            with options.log.open("a") as log:
                log.write(f"{options.name} {what} {time.time()}\n")
        say(answer(name, arguments, options.behaviour))
    return 0


if __name__ == "__main__":
    sys.exit(main())
