"""Reader of a Hugging Face `config.json`."""

from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.export.checkpoint.contents import CONFIG_FIELDS, GENERATION_FIELDS, check_fields, find
from biogpt_onnx.export.checkpoint.formats.huggingface_head import CLASSES as HEAD_CLASSES
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError

MODEL_TYPE = "biogpt"
_CLASSES = ("BioGptForCausalLM", "BioGptModel", *HEAD_CLASSES.values())

# Far beyond any BioGPT, so that sizes in a broken file do not make long lists.
_LARGEST_SIZE = 10_000_000
_MOST_LAYERS = 1000


def check_model(folder: Path, config: Mapping[str, object]) -> None:
    """Refuses another model's configuration, and weights that are quantized.

    Raises:
        CheckpointError: `model_type` is not "biogpt", the class is one that is not exported, or the weights are
            quantized.
    """
    model_type = config.get("model_type")
    if model_type != MODEL_TYPE:
        raise CheckpointError(
            f"{folder}: config.json is of a model of type {printable(repr(model_type))}, not {MODEL_TYPE!r}: give the "
            "folder of a BioGPT"
        )
    classes = config.get("architectures") or []
    other = [name for name in classes if name not in _CLASSES] if isinstance(classes, list) else [classes]
    if other:
        raise CheckpointError(
            f"{folder}: config.json is of the class {printable(str(other[0]))}, which is not exported: only "
            f"{', '.join(_CLASSES)} are"
        )
    quantization = config.get("quantization_config")
    if quantization:
        method = quantization.get("quant_method") if isinstance(quantization, dict) else None
        by = f" by {printable(str(method))}" if method else ""
        raise CheckpointError(
            f"{folder}: config.json says that the weights are quantized{by} (quantization_config): export the "
            "original checkpoint"
        )


def read_architecture(config: Mapping[str, object], notes: Problems) -> Architecture:
    """Reads the architecture out of a configuration.

    `tied_head` is what `tie_word_embeddings` declares, `soft_prompt_size` is 0. `layer_norm_eps` is not read:
    transformers does not read it either, whatever the published file says.

    Args:
        config: content of `config.json`.
        notes: gets notes on fields that are not read.

    Raises:
        CheckpointError: values are missing or bad; names every one.
    """
    problems = Problems()
    reader = _Reader(config, problems)
    architecture = Architecture(
        num_layers=reader.size("num_hidden_layers", most=_MOST_LAYERS),
        hidden_size=reader.size("hidden_size"),
        num_heads=reader.size("num_attention_heads"),
        intermediate_size=reader.size("intermediate_size"),
        vocab_size=reader.size("vocab_size"),
        max_positions=reader.size("max_position_embeddings"),
        tied_head=reader.flag("tie_word_embeddings"),
        scale_embedding=reader.flag("scale_embedding"),
    )
    if architecture.hidden_size % architecture.num_heads:
        problems.add(
            f"hidden_size {architecture.hidden_size} is no multiple of num_attention_heads {architecture.num_heads}"
        )
    fields = {name: value for name, value in config.items() if find(CONFIG_FIELDS, name) or not _is_of_generation(name)}
    check_fields("config.json", fields, CONFIG_FIELDS, problems)
    notes.note(*problems.notes)
    activation = config.get("hidden_act", "gelu")
    if activation != "gelu":
        problems.add(f"hidden_act is {printable(repr(activation))}; only 'gelu' is supported")
    if problems:
        raise problems.error("config.json")
    return architecture


def _is_of_generation(name: str) -> bool:
    return find(GENERATION_FIELDS, name) is not None


class _Reader:
    """Reads single values; a bad one is noted, and a harmless value returned instead."""

    def __init__(self, config: Mapping[str, object], problems: Problems) -> None:
        self._config = config
        self._problems = problems

    def size(self, key: str, most: int = _LARGEST_SIZE) -> int:
        value = self._config.get(key)
        if type(value) is int and 1 <= value <= most:
            return value
        found = f"is {printable(repr(value))}" if key in self._config else "is missing"
        self._problems.add(f"{key} {found}; it must be a whole number from 1 to {most:,}")
        return 1

    def flag(self, key: str) -> bool:
        value = self._config.get(key, True)
        if isinstance(value, bool):
            return value
        self._problems.add(f"{key} is {printable(repr(value))}; it must be true or false")
        return True
