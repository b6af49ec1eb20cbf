"""Lines on what a bundle's checkpoint asks for."""

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
