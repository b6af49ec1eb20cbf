"""What a measurement was made on, with the versions of what the benchmarks compare with."""

from biogpt_onnx.bench import machine

_PACKAGES = (*machine.PACKAGES, "onnx", "onnx-ir", "torch", "transformers")


def describe() -> dict[str, object]:
    """See `biogpt_onnx.bench.machine.describe`."""
    return machine.describe(_PACKAGES)
