"""BioGPT in llama.cpp, as a GPT-2 quantized by llama.cpp itself; called through llama-cpp-python's C functions."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.checkpoint import Checkpoint
from benchmarks.compare.peers.gguf_file import write_gguf
from benchmarks.compare.peers.protocol import Adapter, Clock, Unsupported, run

_FILE_NAME = "model.gguf"
_FILE_TYPES = {"q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0", "q4_0": "LLAMA_FTYPE_MOSTLY_Q4_0"}


class LlamaCpp:
    """BioGPT loaded in llama.cpp, with a context for each size of batch that has been asked for."""

    def __init__(self, folder: Path, variant: str, threads: int) -> None:
        import llama_cpp

        del variant  # the file says it itself
        self._threads = threads
        llama_cpp.llama_backend_init()
        path = str(folder / _FILE_NAME)
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self._model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self._contexts = {1: Context(self._model, sequences=1, outputs=1, threads=threads)}

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates so many new tokens greedily, all rows in one batch.

        Raises:
            Unsupported: beams are asked for.
        """
        if num_beams > 1:
            raise Unsupported("llama.cpp has no beam search")
        rows: list[list[int]] = [[] for _ in prompts]
        context = self._context(len(prompts))
        logits = context.read(prompts, first_position=0)
        for number in range(new_tokens):
            tokens = logits.argmax(axis=1).tolist()
            clock.tick()
            for row, token in zip(rows, tokens, strict=True):
                row.append(token)
            if number + 1 < new_tokens:
                logits = context.read([[token] for token in tokens], first_position=len(prompts[0]) + number)
        return rows

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of all positions: [tokens, vocabulary]."""
        # The contexts that are measured must not hold memory for the logits of all positions.
        context = Context(self._model, sequences=1, outputs=len(ids), threads=self._threads)
        try:
            return context.read([ids], first_position=0, everywhere=True).copy()
        finally:
            context.free()

    def _context(self, sequences: int) -> "Context":
        if sequences not in self._contexts:
            self._contexts[sequences] = Context(self._model, sequences, outputs=sequences, threads=self._threads)
        return self._contexts[sequences]


class Context:
    """Cache for so many sequences of the model's full length, and memory for so many positions' logits."""

    def __init__(self, model: Any, sequences: int, outputs: int, threads: int) -> None:  # noqa: ANN401 -- a C pointer
        import llama_cpp

        self._library: Any = llama_cpp
        length = llama_cpp.llama_model_n_ctx_train(model)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = sequences * length
        settings.n_seq_max = sequences
        settings.n_outputs_max = settings.n_outputs_max_per_seq = outputs
        settings.n_threads = settings.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(model, settings)
        if not self._context:
            raise RuntimeError(f"llama.cpp cannot make a context for {sequences} sequences")
        self._batch = llama_cpp.llama_batch_init(sequences * length, 0, 1)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

    def read(
        self, rows: Sequence[Sequence[int]], first_position: int, *, everywhere: bool = False
    ) -> npt.NDArray[np.float32]:
        """Reads tokens of each sequence; a first position of 0 begins anew.

        Returns:
            The logits behind each row, or of every token, [outputs, vocabulary]; valid until the next call.
        """
        if first_position == 0:
            memory = self._library.llama_get_memory(self._context)
            self._library.llama_memory_clear(memory, False)  # noqa: FBT003 -- a C function; it need not be zeroed
        outputs = self._fill(rows, first_position, everywhere=everywhere)
        status = self._library.llama_decode(self._context, self._batch)
        if status != 0:
            raise RuntimeError(f"llama_decode failed with {status}")
        logits = self._library.llama_get_logits(self._context)
        return np.ctypeslib.as_array(logits, shape=(outputs, self._vocabulary))

    def free(self) -> None:
        """Gives the memory back."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._context)

    def _fill(self, rows: Sequence[Sequence[int]], first_position: int, *, everywhere: bool) -> int:
        batch, count, outputs = self._batch, 0, 0
        for sequence, tokens in enumerate(rows):
            for position, token in enumerate(tokens, first_position):
                wanted = everywhere or position + 1 == first_position + len(tokens)
                batch.token[count] = token
                batch.pos[count] = position
                batch.n_seq_id[count] = 1
                batch.seq_id[count][0] = sequence
                batch.logits[count] = wanted
                count, outputs = count + 1, outputs + wanted
        batch.n_tokens = count
        return outputs


def prepare(checkpoint: Path, output: Path, variant: str) -> None:
    """Writes the weights in float32 and has llama.cpp quantize them, which keeps the head of Q4_0 in Q6_K."""
    import ctypes

    import llama_cpp

    full = output / "float32.gguf"
    write_gguf(Checkpoint(checkpoint), full)
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, _FILE_TYPES[variant])
    target = output / _FILE_NAME
    status = llama_cpp.llama_model_quantize(str(full).encode(), str(target).encode(), ctypes.byref(settings))
    if status != 0:
        raise RuntimeError(f"llama_model_quantize failed with {status}")
    full.unlink()


ADAPTER = Adapter(variants=tuple(_FILE_TYPES), packages=("llama-cpp-python", "gguf"), prepare=prepare, load=LlamaCpp)

if __name__ == "__main__":
    sys.exit(run(ADAPTER))
