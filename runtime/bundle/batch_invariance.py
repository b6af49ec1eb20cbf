"""Bundles of which it can be promised that a row's result does not depend on the rows that are computed beside it."""

from biogpt_onnx.runtime.bundle.manifest import Manifest

_EVERYWHERE = frozenset({None, "int8", "int4", "int8-int4"})
_WITHOUT_AVX512 = frozenset({"int8-weights"})


def is_batch_invariant(manifest: Manifest, *, has_avx512: bool) -> bool:
    """Returns True if a row's results are the same, to the last bit, whatever is computed beside it on a CPU.

    It is not promised of recipes that mix others, such as `auto`, or that this version does not know.

    Args:
        manifest: the bundle's manifest.
        has_avx512: True if the processor has AVX-512, for which ONNX Runtime has kernels of its own.
    """
    return manifest.recipe in _EVERYWHERE or (manifest.recipe in _WITHOUT_AVX512 and not has_avx512)
