"""The description of a packed bundle: all that the page must know of it, as JSON."""

from collections.abc import Mapping
from typing import Any

from biogpt_onnx.runtime.bundle import (
    MERGES_FILE,
    MODEL_FILE,
    VOCAB_FILE,
    WEIGHTS_FILE,
    Manifest,
    past_name,
)
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.runtime.generation_defaults import default_settings
from biogpt_onnx.runtime.ort.element_types import FLOAT32
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.punctuation import punctuation_table
from biogpt_onnx.runtime.tokenizer.vocabulary import SPECIAL_TOKENS
from biogpt_onnx.web.characters import character_sets
from biogpt_onnx.web.onnxruntime_web import BINARY, FILES, MODULE

BUNDLE_FOLDER, RUNTIME_FOLDER = "bundle", "onnxruntime"

PAGE_SETTINGS = (
    *("max_new_tokens", "min_new_tokens", "repetition_penalty", "no_repeat_ngram_size", "stop_strings"),
    *("normalize_punctuation", "do_sample", "temperature", "top_k", "top_p", "min_p", "seed"),
)
"""The settings of `GenerationConfig` that the page has."""

_READ_FILES = (MODEL_FILE, WEIGHTS_FILE, VOCAB_FILE, MERGES_FILE)
_IN_BLOCKS = ("int4", "int8-weights", "auto")
"""Recipes that store weights in blocks."""

_MOST_BYTES = 2 * 1024**3
FLOAT32_PRECISION = "fp32"


def refuse_unsuitable(name: str, manifest: Manifest) -> None:
    """Refuses a bundle that a browser cannot run.

    Args:
        name: name of the bundle.
        manifest: manifest of the bundle.

    Raises:
        ConfigError: it has a classification head, computes in half precision, steps by a graph of its own, or is too
            large for WebAssembly.
    """
    if manifest.head is not None:
        raise ConfigError(
            f"{name} has a {manifest.head.kind} head, and the page writes texts: pack a bundle of a BioGptForCausalLM"
        )
    first = past_name(0, "key")
    if any(spec.name == first and spec.dtype != FLOAT32.name for spec in manifest.inputs):
        raise ConfigError(
            f"{name} is {manifest.precision}, which no browser computes: quantize the fp32 bundle by int8 or int4"
        )
    if manifest.steps is not None:
        raise ConfigError(
            f"{name} generates by another graph than it reads, and the page has one graph for both: quantize the fp32 "
            "bundle by int8"
        )
    if (size := manifest.files[WEIGHTS_FILE].size) > _MOST_BYTES:
        raise ConfigError(
            f"{name} has weights of {size / 1e9:.1f} GB, and WebAssembly has 4 GB for all it does: quantize it by int8"
        )


def describe(name: str, manifest: Manifest, tokenizer: BioGptTokenizer, num_symbols: int) -> dict[str, Any]:
    """Returns the contents of `page.json`.

    Args:
        name: name of the bundle, as the page shows it.
        manifest: manifest of the bundle.
        tokenizer: tokenizer of the bundle.
        num_symbols: number of symbols in its file `vocab.json`.

    Raises:
        ConfigError: the tokenizer has added tokens with rules that the page does not follow.
        BundleError: the bundle's default settings cannot be used.
    """
    defaults = default_settings(manifest)
    files = {f"{RUNTIME_FOLDER}/{BINARY}": FILES[BINARY]}
    files |= {f"{BUNDLE_FOLDER}/{file}": manifest.files[file] for file in _READ_FILES}
    architecture = manifest.architecture
    return {
        "title": f"{name}: {manifest.recipe or manifest.precision}, {manifest.num_bytes / 1e6:,.0f} MB",
        "note": " ".join(_notes(manifest, defaults)),
        "architecture": {
            "num_layers": architecture.num_layers,
            "num_heads": architecture.num_heads,
            "head_size": architecture.head_size,
            "vocab_size": architecture.vocab_size,
            "max_positions": architecture.max_positions,
        },
        "end_token_ids": manifest.end_token_ids,
        "defaults": {setting: value for setting, value in defaults.items() if setting in PAGE_SETTINGS},
        "tokenizer": describe_tokenizer(tokenizer, num_symbols),
        "runtime": {"module": f"{RUNTIME_FOLDER}/{MODULE}", "binary": f"{RUNTIME_FOLDER}/{BINARY}"},
        "files": [{"name": file, "size": record.size, "sha256": record.sha256} for file, record in files.items()],
    }


def describe_tokenizer(tokenizer: BioGptTokenizer, num_symbols: int) -> dict[str, Any]:
    """Returns what the page's tokenizer must know besides `vocab.json` and `merges.txt`.

    Args:
        tokenizer: the tokenizer to describe.
        num_symbols: number of symbols in its file `vocab.json`.

    Raises:
        ConfigError: an added token has rules that the page does not follow.
    """
    names = [tokenizer.id_to_symbol(number) for number in range(tokenizer.vocab_size)]
    # As the tokenizer: the longest is looked for first, and no text names `</s>` and the like.
    added = sorted(tokenizer.added_tokens, key=lambda token: len(token.content), reverse=True)
    for token in added:
        if token.lstrip or token.rstrip or token.single_word:
            raise ConfigError(
                f"the added token {token.content!a} takes white space or stands alone (lstrip, rstrip, single_word), "
                "which the page's tokenizer does not know: serve the bundle with `biogpt-onnx serve`"
            )
    special = [token.token_id for token in added if token.is_special]
    return {
        "characters": character_sets(),
        "addedTokens": [[token.content, token.token_id] for token in added if not token.is_control],
        "names": names[num_symbols:],
        "skipped": [*range(len(SPECIAL_TOKENS)), *special, *tokenizer.soft_prompt_ids],
        "punctuation": {chr(code): ascii_ for code, ascii_ in punctuation_table(frozenset(names)).items()},
    }


def note_on_tokens(manifest: Manifest) -> str:
    """Returns a sentence on whether the page writes the tokens that Python writes."""
    if manifest.precision == FLOAT32_PRECISION:
        return "It writes the tokens that biogpt-onnx writes in Python."
    # The last digit of an activation that is rounded otherwise may become another whole number.
    return (
        f"In {manifest.recipe or manifest.precision}, WebAssembly rounds otherwise than processors do: where tokens "
        "are nearly as likely, it may choose another than biogpt-onnx in Python."
    )


def note_on_speed(manifest: Manifest) -> str | None:
    """Returns a sentence on recipes that are slow in a browser; None for the others."""
    if manifest.recipe not in _IN_BLOCKS:
        return None
    return (
        f"WebAssembly has no kernels for {manifest.recipe} and unpacks its weights for each token: int8 is several "
        "times as fast."
    )


def _notes(manifest: Manifest, defaults: Mapping[str, Any]) -> list[str]:
    left_out = sorted(name for name in defaults if name not in PAGE_SETTINGS)
    notes = [note_on_tokens(manifest)]
    if slow := note_on_speed(manifest):
        notes.append(slow)
    if left_out:
        notes.append(f"The checkpoint's authors also chose {', '.join(left_out)}, which the page does not have.")
    return notes
