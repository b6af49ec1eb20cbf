"""Description of the machine that a measurement runs on, with the versions of the packages it compares with."""

from biogpt_onnx.bench import machine

_PACKAGES = (*machine.PACKAGES, "onnx", "onnx-ir", "torch", "transformers")


def describe() -> dict[str, object]:
    """Returns CPU, memory, package versions and commit, as `biogpt_onnx.bench.machine.describe` gives them."""
    return machine.describe(_PACKAGES)
