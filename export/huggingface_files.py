"""Configuration and vocabulary files of a checkpoint in Hugging Face form."""

import json
from collections.abc import Sequence
from pathlib import Path

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.huggingface_head import CLASSES
from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.bundle.architecture import LAYER_NORM_EPSILON, Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead
from biogpt_onnx.runtime.tokenizer.added_tokens import tokenizer_config
from biogpt_onnx.runtime.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID


def huggingface_config(
    architecture: Architecture, head: ClassificationHead | None = None, *, end_token_ids: Sequence[int] = (EOS_ID,)
) -> dict[str, object]:
    """Returns the fields of transformers' config.json.

    Args:
        architecture: network's shape.
        head: classification head; None for a language model.
        end_token_ids: tokens that end a text.
    """
    fields: dict[str, object] = {
        "architectures": ["BioGptForCausalLM"],
        "model_type": "biogpt",
        "num_hidden_layers": architecture.num_layers,
        "hidden_size": architecture.hidden_size,
        "num_attention_heads": architecture.num_heads,
        "intermediate_size": architecture.intermediate_size,
        "vocab_size": architecture.vocab_size,
        "max_position_embeddings": architecture.max_positions,
        "hidden_act": "gelu",
        "layer_norm_eps": LAYER_NORM_EPSILON,
        "scale_embedding": architecture.scale_embedding,
        "tie_word_embeddings": architecture.tied_head,
        "bos_token_id": BOS_ID,
        "pad_token_id": PAD_ID,
        "eos_token_id": one_or_several(end_token_ids),
    }
    if head is None:
        return fields
    return fields | {
        "architectures": [CLASSES[head.kind]],
        "id2label": {str(number): label for number, label in enumerate(head.labels)},
        "label2id": {label: number for number, label in enumerate(head.labels)},
        "problem_type": head.problem_type,
        "pad_token_id": head.pad_token_id,
    }


def one_or_several(end_token_ids: Sequence[int]) -> int | list[int] | None:
    """Returns end tokens in the form of transformers' files: one, a list, or null for none."""
    return end_token_ids[0] if len(end_token_ids) == 1 else list(end_token_ids) or None


def write_huggingface_files(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes config.json, vocab.json, merges.txt and, where there are added tokens, tokenizer_config.json.

    The files are equal for one model, whatever form its checkpoint came in.
    """
    end_token_ids = checkpoint.generation.end_token_ids
    fields = huggingface_config(checkpoint.architecture, checkpoint.head, end_token_ids=end_token_ids)
    config = json.dumps(fields, indent=2)
    vocabulary = json.dumps({symbol: number for number, symbol in enumerate(checkpoint.symbols)}, ensure_ascii=False)
    (folder / bundle.CONFIG_FILE).write_text(config + "\n", encoding="utf-8", newline="\n")
    (folder / bundle.VOCAB_FILE).write_text(vocabulary + "\n", encoding="utf-8", newline="\n")
    (folder / bundle.MERGES_FILE).write_bytes(checkpoint.merges)
    if checkpoint.added.tokens:
        added = tokenizer_config(checkpoint.added.tokens, checkpoint.added.names)
        text = json.dumps(added, indent=2, ensure_ascii=False)
        (folder / bundle.TOKENIZER_CONFIG_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")
