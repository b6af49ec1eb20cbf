"""A process that loads a bundle and continues random prompts: `python -m benchmarks.micro.small_memory.case ...`.

Its arguments are a bundle, the number of prompts, the tokens of each, new tokens, beams, and a file for what it found.
It ends with 3 where the memory is too small, as `load` or a call says.
"""

import json
import sys
from pathlib import Path

import biogpt_onnx
from benchmarks.full_size import THREADS, random_prompt

REFUSED = 3
"""Exit code of a process that was told that the memory is too small."""


def main() -> None:
    """Loads, generates, and writes what was read from the disk, and what was said if it was refused."""
    bundle, rows, prompt_tokens, new_tokens, beams, output = sys.argv[1:]
    found: dict[str, object] = {}
    try:
        model = biogpt_onnx.load(bundle, device="cpu", threads=THREADS)
        found["loading_read_bytes"] = _read_bytes()
        prompts = [random_prompt(int(prompt_tokens), seed) for seed in range(int(rows))]
        model.generate_ids(prompts, max_new_tokens=int(new_tokens), num_beams=int(beams), eos_token_id=None)
    except biogpt_onnx.MemoryLimitError as error:
        # Committed runs name no folder of the machine.
        found["refusal"] = str(error).replace(bundle, Path(bundle).name)
    found["read_bytes"] = _read_bytes()
    Path(output).write_text(json.dumps(found), encoding="utf-8")
    sys.exit(REFUSED if "refusal" in found else 0)


def _read_bytes() -> int:
    """Returns the bytes that the system has read from the disk for this process."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


if __name__ == "__main__":
    main()
