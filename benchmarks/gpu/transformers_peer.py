"""transformers on a device, in a process of its own: `python benchmarks/gpu_peer.py FOLDER DEVICE DTYPE`.

A request is a JSON line {"prompts": [[ids]], "new_tokens": n, "static": bool}, all prompts of one length; the answer
the seconds that `generate` took until the tokens were on the CPU, and the tokens. With "static" the cache has a fixed
size, for which `generate` compiles the decoding by itself, in the mode "reduce-overhead", where the device is a GPU.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Self, TextIO

_PAD_ID = 1


class Written(NamedTuple):
    """What a call of `generate` gave.

    Attributes:
        seconds: that it took, from the prompts' ids to the tokens.
        token_ids: the new tokens of each prompt.
        compiled: whether the decoding was compiled.
    """

    seconds: float
    token_ids: list[list[int]]
    compiled: bool


class Peer:
    """The other end of the pipe.

    Args:
        folder: the weights in Hugging Face form.
        device: "cuda" or "cpu".
        dtype: what transformers computes in, "float16" or "float32".
        seconds: that loading may take.

    Attributes:
        version: of transformers.

    Raises:
        RuntimeError: transformers cannot load the model.
    """

    def __init__(self, folder: Path, device: str, dtype: str, seconds: float) -> None:
        command = [sys.executable, __file__, str(folder), device, dtype]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.version = str(self._answer(seconds)["version"])
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        """The peer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self._end()

    def generate(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, seconds: float, *, static: bool = False
    ) -> Written:
        """Has exactly so many tokens written to each prompt.

        Raises:
            RuntimeError: it failed, or took more than so many seconds.
        """
        if self._process.stdin is None:
            raise RuntimeError("transformers has no pipe")
        request = {"prompts": [list(prompt) for prompt in prompts], "new_tokens": new_tokens, "static": static}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Written(**self._answer(seconds))

    def _answer(self, seconds: float) -> Mapping[str, Any]:
        # A process that hangs must not take what is left of the run.
        alarm = threading.Timer(max(0.0, seconds), self._process.kill)
        alarm.start()
        line = self._process.stdout.readline() if self._process.stdout else ""
        alarm.cancel()
        if not line:
            raise RuntimeError(f"transformers ended with {self._process.wait()}, within {seconds:.0f} s")
        answer: Mapping[str, Any] = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(f"transformers: {answer['failed']}")
        return answer

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


class _Model:
    """transformers' side."""

    def __init__(self, folder: str, device: str, dtype: str) -> None:
        import torch
        import transformers

        self._torch = torch
        self.version = transformers.__version__
        load: Any = transformers.BioGptForCausalLM.from_pretrained
        self._model = load(folder, dtype=getattr(torch, dtype), attn_implementation="sdpa").to(device).eval()
        # No token ends a text, so that exactly as many are written as are asked for.
        self._model.generation_config.eos_token_id = None

    def answer(self, prompts: list[list[int]], new_tokens: int, static: bool) -> dict[str, object]:  # noqa: FBT001 -- from JSON
        """A request's answer."""
        start = perf_counter()
        # What is compiled is called as `generate` calls it, under its own `no_grad`.
        with contextlib.nullcontext() if static else self._torch.inference_mode():
            ids = self._torch.tensor(prompts, device=self._model.device)
            written = self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=_PAD_ID,
                **({"cache_implementation": "static"} if static else {}),
            )
            # To bring the tokens to the CPU is to wait for them.
            tokens = written[:, ids.shape[1] :].tolist()
        seconds = perf_counter() - start
        if any(len(row) != new_tokens for row in tokens):
            raise RuntimeError(f"{[len(row) for row in tokens]} tokens were written, not {new_tokens}")
        compiled = static and hasattr(self._model, "_compiled_call")
        return {"seconds": seconds, "token_ids": tokens, "compiled": compiled}


def _serve(folder: str, device: str, dtype: str) -> None:
    # What the libraries print must not come between the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            model = _Model(folder, device, dtype)
        except Exception as error:  # noqa: BLE001 -- it is told to whoever asked
            _tell(answers, _failure(error))
            return
        _tell(answers, {"version": model.version})
        for line in sys.stdin:
            try:
                answer = model.answer(**json.loads(line))
            except Exception as error:  # noqa: BLE001 -- likewise
                answer = _failure(error)
            _tell(answers, answer)


def _failure(error: Exception) -> dict[str, object]:
    traceback.print_exception(error)
    return {"failed": f"{type(error).__name__}: {error}"}


def _tell(answers: TextIO, answer: Mapping[str, object]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
