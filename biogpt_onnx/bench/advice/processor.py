"""The processor as ONNX Runtime's kernels see it: the family of instructions that they are chosen by."""

from collections.abc import Collection

from biogpt_onnx.runtime.system.processor import describe_processor

# The first of which all flags are there, as Linux names them.
_FAMILIES = (
    ("AMX", ("amx_tile", "amx_int8")),
    ("AVX-512 with VNNI", ("avx512f", "avx512_vnni")),
    ("AVX-512 without VNNI", ("avx512f",)),
    ("AVX2 with VNNI", ("avx2", "avx_vnni")),
    ("AVX2", ("avx2",)),
    ("Arm with 8-bit matrix products (i8mm)", ("asimd", "i8mm")),
    ("Arm with dot products", ("asimd", "asimddp")),
    ("Arm NEON", ("asimd",)),
)
_IN_BLOCKS = frozenset({"int8-weights", "int4"})
UNKNOWN = "of an unknown family"
"""The family of a processor whose instruction sets the system does not list."""


def instruction_sets() -> frozenset[str]:
    """Returns the names of this processor's instruction sets; none where the system does not list them."""
    found = describe_processor()["instruction_sets"]
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def kernel_family(sets: Collection[str]) -> str:
    """Returns the name of the family of kernels that a processor has.

    Args:
        sets: names of its instruction sets.
    """
    return next((name for name, flags in _FAMILIES if set(flags) <= set(sets)), UNKNOWN)


def unpacks_blocks(recipe: str | None, sets: Collection[str]) -> bool:
    """Returns True if ONNX Runtime unpacks a bundle's weights to float32 at each step, for lack of a kernel.

    Args:
        recipe: the bundle's recipe; None for one that is not quantized.
        sets: names of the processor's instruction sets; none if they are not known.
    """
    return recipe in _IN_BLOCKS and "asimd" in sets and "asimddp" not in sets


def may_have_avx512(sets: Collection[str]) -> bool:
    """Returns True unless a processor is known to lack AVX-512, of which not every system tells."""
    return not sets or any(name.startswith("avx512") for name in sets)
