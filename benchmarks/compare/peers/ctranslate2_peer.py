"""BioGPT in CTranslate2, which has no converter for it: its specification of a decoder, filled by name."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.checkpoint import Checkpoint
from benchmarks.compare.peers.protocol import EOS_ID, Adapter, Clock, run

_COMPUTE_TYPES = {"fp32": "float32", "int8": "int8"}


class CTranslate2:
    """BioGPT loaded as a generator of CTranslate2."""

    def __init__(self, folder: Path, variant: str, threads: int) -> None:
        import ctranslate2

        self._generator = ctranslate2.Generator(
            str(folder), device="cpu", compute_type=_COMPUTE_TYPES[variant], inter_threads=1, intra_threads=threads
        )
        self._symbols = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates so many new tokens; the library shows the steps of a greedy search alone."""
        calls = 0

        def look_at_the_clock(_step: object) -> bool:
            nonlocal calls
            calls += 1
            if calls % len(prompts) == 0:
                clock.tick()
            return False  # true would end the row

        results = self._generator.generate_batch(
            [[self._symbols[number] for number in ids] for ids in prompts],
            beam_size=num_beams,
            min_length=new_tokens,
            max_length=new_tokens,
            # Or the prompt would be read token by token.
            include_prompt_in_result=False,
            callback=look_at_the_clock if num_beams == 1 else None,
        )
        if num_beams > 1:
            clock.tick()
        return [result.sequences_ids[0] for result in results]

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of all positions: [tokens, vocabulary]."""
        logits: npt.NDArray[np.float32] = np.array(self._generator.forward_batch([ids]))[0]
        return logits


def prepare(checkpoint: Path, output: Path, variant: str) -> None:
    """Writes CTranslate2's model folder, its weights in the variant's precision."""
    from ctranslate2.specs import TransformerDecoderModelSpec
    from ctranslate2.specs.common_spec import Activation

    source = Checkpoint(checkpoint)
    spec = TransformerDecoderModelSpec.from_config(
        source.config["num_hidden_layers"],
        source.config["num_attention_heads"],
        pre_norm=True,
        activation=Activation.GELU,
    )
    config = spec.config
    config.bos_token, config.eos_token, config.unk_token = (source.symbols[number] for number in (0, EOS_ID, 3))
    spec.register_vocabulary(source.symbols)
    _fill(spec.decoder, source)
    spec.validate()
    spec.optimize(quantization=_COMPUTE_TYPES[variant])
    spec.save(str(output))


def _fill(decoder: Any, source: Checkpoint) -> None:  # noqa: ANN401 -- the library has no types
    decoder.scale_embeddings = source.embedding_scale != 1.0
    decoder.embeddings.weight = source.embedding
    decoder.position_encodings.encodings = source.positions
    decoder.projection.weight = source.head
    _norm(decoder.layer_norm, source.final_norm)
    for target, layer in zip(decoder.layer, source.layers, strict=True):
        attention, feed_forward = target.self_attention, target.ffn
        _norm(attention.layer_norm, layer.pair("self_attn_layer_norm"))
        _linear(attention.linear[0], layer.query_key_value())
        _linear(attention.linear[1], layer.pair("self_attn.out_proj"))
        _norm(feed_forward.layer_norm, layer.pair("final_layer_norm"))
        _linear(feed_forward.linear_0, layer.pair("fc1"))
        _linear(feed_forward.linear_1, layer.pair("fc2"))


def _norm(target: Any, pair: tuple[npt.NDArray[np.float32], ...]) -> None:  # noqa: ANN401 -- the library has no types
    target.gamma, target.beta = pair


def _linear(target: Any, pair: tuple[npt.NDArray[np.float32], ...]) -> None:  # noqa: ANN401 -- the library has no types
    target.weight, target.bias = pair


ADAPTER = Adapter(variants=tuple(_COMPUTE_TYPES), packages=("ctranslate2",), prepare=prepare, load=CTranslate2)

if __name__ == "__main__":
    sys.exit(run(ADAPTER))
