"""Names that programs put around a model's own when they save it, and tensors that no export can use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD, POSITIONS
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.errors import CheckpointError

# Names of modules that wrap another one anywhere in a model, and change nothing of it.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_SHARED_WRAPPERS = ("base_model.model.", "base_model.", "module.", "model.", "_orig_mod.")
_ADAPTERS = (".lora_A.", ".lora_B.", ".lora_embedding_", ".base_layer.", ".lora_magnitude_vector", ".modules_to_save.")
_QUANTIZED = {
    ".SCB": "bitsandbytes",
    ".absmax": "bitsandbytes",
    ".quant_map": "bitsandbytes",
    ".quant_state.bitsandbytes__nf4": "bitsandbytes",
    ".quant_state.bitsandbytes__fp4": "bitsandbytes",
    ".qweight": "GPTQ or AWQ",
    ".qzeros": "GPTQ or AWQ",
    ".weight_packed": "compressed-tensors",
}


def own_names(
    stored: Mapping[str, CheckpointTensor], canonical_name: Callable[[str], str | None], problems: Problems
) -> dict[str, CheckpointTensor]:
    """Returns the tensors by the names that the model itself gave them.

    Args:
        stored: tensors by stored name.
        canonical_name: maps a model's name to the canonical one; None where a BioGPT has no such tensor.
        problems: gets a note of what was taken off.

    Raises:
        CheckpointError: the tensors are of an adapter that was not merged, quantized, or empty; the error says what to
            do.
    """
    _refuse_unusable(stored)
    removed: dict[str, None] = {}
    tensors = dict(stored)
    for wrapper in _WRAPPERS:
        if any(wrapper in name for name in tensors) and len({name.replace(wrapper, "") for name in tensors}) == len(
            tensors
        ):
            tensors = {name.replace(wrapper, ""): tensor for name, tensor in tensors.items()}
            removed[wrapper] = None
    while not any(canonical_name(name) for name in tensors):
        prefix = next((one for one in _SHARED_WRAPPERS if all(name.startswith(one) for name in tensors)), None)
        if prefix is None:
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        removed[prefix] = None
    if removed and any(canonical_name(name) for name in tensors):
        problems.note(f"taken off the names of the tensors: {', '.join(removed)}")
        return {name: replace(tensor, name=name) for name, tensor in tensors.items()}
    return dict(stored)


def with_tied_table(
    tensors: Mapping[str, CheckpointTensor], problems: Problems, *, declared_tied: bool | None
) -> Mapping[str, CheckpointTensor]:
    """Returns the tensors with the token embedding, which is the head where the two are tied and it alone is stored.

    Args:
        tensors: tensors by canonical name.
        problems: gets a note.
        declared_tied: whether the configuration says that the head is tied; None where it does not say.
    """
    if EMBEDDING in tensors or HEAD not in tensors or POSITIONS not in tensors or not declared_tied:
        return tensors
    problems.note(f"{EMBEDDING} is not stored: the head, to which it is tied, is taken for it")
    others = {name: tensor for name, tensor in tensors.items() if name != HEAD}
    return {EMBEDDING: replace(tensors[HEAD], name=EMBEDDING)} | others


def _refuse_unusable(stored: Mapping[str, CheckpointTensor]) -> None:
    adapted = [name for name in stored if any(part in f"{name}." for part in _ADAPTERS)]
    if adapted:
        raise CheckpointError(
            f"{_shown(adapted)} of an adapter that was not merged: merge it before saving "
            "(peft's model.merge_and_unload()), or save it by itself (model.save_pretrained of peft) and export the "
            "base with --adapter"
        )
    for suffix, program in _QUANTIZED.items():
        quantized = [name for name in stored if name.endswith(suffix)]
        if quantized:
            raise CheckpointError(
                f"{_shown(quantized)} of weights that {program} quantized: export the original checkpoint"
            )
    empty = [name for name, tensor in stored.items() if 0 in tensor.shape]
    if empty and 2 * len(empty) >= len(stored):
        raise CheckpointError(
            f"{len(empty)} of {len(stored)} tensors are empty: the weights were not gathered when they were saved "
            "(with DeepSpeed ZeRO-3, set stage3_gather_16bit_weights_on_model_save or run zero_to_fp32.py)"
        )


def _shown(names: Sequence[str]) -> str:
    verb = "is" if len(names) == 1 else f"and {len(names) - 1} other tensors are"
    return f"{printable(names[0])} {verb}"
