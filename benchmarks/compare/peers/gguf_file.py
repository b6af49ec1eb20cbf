"""GGUF file of a BioGPT as llama.cpp's GPT-2, which differs from it in nothing but the GELU's form."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.checkpoint import Checkpoint
from benchmarks.compare.peers.protocol import EOS_ID

# Both fairseq and transformers compute with it, whatever `layer_norm_eps` says.
_LAYER_NORM_EPSILON = 1e-5

_LAYER_TENSORS = {
    "attn_norm": "self_attn_layer_norm",
    "attn_output": "self_attn.out_proj",
    "ffn_norm": "final_layer_norm",
    "ffn_up": "fc1",
    "ffn_down": "fc2",
}


def write_gguf(source: Checkpoint, path: Path, symbols: Sequence[str] = ()) -> None:
    """Writes all weights in float32.

    Args:
        source: the weights.
        path: the file to write.
        symbols: a text for each token, for programs that must write texts; without, token ids go in and logits out.
    """
    import gguf

    writer: Any = gguf.GGUFWriter(path, "gpt2")
    config = source.config
    writer.add_context_length(len(source.positions))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(_LAYER_NORM_EPSILON)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if symbols:
        _add_vocabulary(writer, symbols)
    else:
        writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(len(source.embedding))
    for name, tensor in _tensors(source):
        writer.add_tensor(name, np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: Any, symbols: Sequence[str]) -> None:  # noqa: ANN401 -- the library has no types
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(symbols)
    writer.add_token_merges([f"{symbols[-2]} {symbols[-1]}"])
    writer.add_bos_token_id(EOS_ID)  # a prompt of BioGPT starts with it
    writer.add_eos_token_id(EOS_ID)
    writer.add_add_bos_token(False)  # noqa: FBT003 -- the library's own way


def _tensors(source: Checkpoint) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    # Its GPT-2 does not scale the embedding, so that the table is scaled and the head must lie beside it.
    yield "token_embd.weight", source.embedding * np.float32(source.embedding_scale)
    yield "output.weight", source.head
    yield "position_embd.weight", source.positions
    yield from _pair("output_norm", source.final_norm)
    for number, layer in enumerate(source.layers):
        yield from _pair(f"blk.{number}.attn_qkv", layer.query_key_value())
        for name, theirs in _LAYER_TENSORS.items():
            yield from _pair(f"blk.{number}.{name}", layer.pair(theirs))


def _pair(
    name: str, pair: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    yield f"{name}.weight", pair[0]
    yield f"{name}.bias", pair[1]
