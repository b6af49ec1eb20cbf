"""Lines on what a bundle's checkpoint asks for."""

from collections.abc import Collection

from biogpt_onnx.bench.advice.processor import unpacks_blocks
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID


def generation_lines(manifest: Manifest) -> dict[str, str]:
    """Returns lines on the end tokens and the decoding of a bundle by their titles; none for those of any BioGPT."""
    lines = {}
    if manifest.end_token_ids != (EOS_ID,):
        lines["ends"] = f"a text ends with token {' or '.join(map(str, manifest.end_token_ids)) or 'none'}"
    if manifest.generation:
        settings = ", ".join(f"{name} {value}" for name, value in sorted(manifest.generation.items()))
        lines["decoding"] = f"by default {settings} (--ignore-generation-config leaves it out)"
    return lines


def rows_lines(manifest: Manifest) -> dict[str, str]:
    """Returns a line, by its title, for bundles of which a row's answer may depend on the rows beside it."""
    said = {
        "int8-weights": "with AVX-512, scores differ by about 0.01 nats with the batch, and at times the tokens do",
        "int8-dynamic": "an answer depends on its batch",
    }
    return {"rows": said[manifest.recipe]} if manifest.recipe in said else {}


def speed_lines(manifest: Manifest, sets: Collection[str]) -> dict[str, str]:
    """Returns a line, by its title, for bundles for which ONNX Runtime has no kernels on this processor.

    Args:
        manifest: bundle's manifest.
        sets: names of the processor's instruction sets; none if they are not known.
    """
    if not unpacks_blocks(manifest.recipe, sets):
        return {}
    return {
        "speed": "slow on this processor, which has no 8-bit dot products: weights in blocks are unpacked to float32 "
        "at each step (recipe int8 has none)"
    }


def cache_lines(manifest: Manifest) -> dict[str, str]:
    """Returns a line, by its title, for bundles whose steps have a quantized cache."""
    if manifest.cache is None:
        return {}
    tokens = manifest.cache.get("tokens")
    known = f", with scales from {tokens:,} tokens of text" if type(tokens) is int else ""
    return {"cache": f"sequences step over keys and values in {manifest.cache['type']}{known}; text is read in float32"}


def scales_lines(manifest: Manifest) -> dict[str, str]:
    """Returns a line on the scales of activations by its title; none for bundles that have no such on record."""
    if manifest.activations is None:
        return {}
    try:
        products, tokens = manifest.activations["products"], manifest.activations["tokens"]
        static = [found for found in products.values() if found["scale"] is not None]
        line = f"{len(static)} of {len(products)} products have one for all rows, the others one for each row"
        if static:
            clipped = max(found["clipped_values"] for found in static)
            loss = max(found["largest_loss"] for found in static)
            line += f"; of {tokens:,} tokens they clip at most {clipped:.4%} of the values, {loss:.2%} of an output"
    except (AttributeError, KeyError, TypeError, ValueError):
        line = "on record in a form that this version does not know"
    return {"scales": line}
