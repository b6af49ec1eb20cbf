"""Reader of `.safetensors` files, which are mapped into memory; torch is not needed."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from biogpt_onnx.export.checkpoint.files.source_file import check_is_data
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.runtime.errors import CheckpointError

_DTYPE_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def read_safetensors(path: Path) -> dict[str, CheckpointTensor]:
    """Returns the tensors of a file by stored name; their values stay in the file.

    The library checks on opening that the header's shapes, types and offsets cover the file exactly; a header that
    claims more than the file holds thereby allocates nothing.

    Raises:
        CheckpointError: the file is absent, truncated or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 -- an extra

    path = path.absolute()
    check_is_data(path)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
            return {
                name: CheckpointTensor(
                    name,
                    tuple(part.get_shape()),
                    _DTYPE_NAMES.get(part.get_dtype(), part.get_dtype()),
                    partial(_read_rows, path, name),
                )
                for name, part in slices.items()
            }
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} is truncated or no safetensors file ({error}): fetch it again") from error


def _read_rows(path: Path, name: str, start: int, stop: int) -> npt.NDArray[Any]:
    import ml_dtypes  # noqa: F401, PLC0415 -- an extra; registers bfloat16 with NumPy
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 -- an extra

    try:
        # Opened for each read: a mapping kept longer would hold the file open, and every page read of it in memory.
        with safe_open(path, framework="numpy") as file:
            rows: npt.NDArray[Any] = file.get_slice(name)[start:stop]
            return rows
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path.name} changed while it was read ({error})") from error
