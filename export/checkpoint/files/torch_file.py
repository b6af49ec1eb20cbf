"""Reader of torch's pickles, `.bin` and `.pt`: mapped into memory where possible, and without running their code."""

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.files.inert_pickle import stand_ins
from biogpt_onnx.export.checkpoint.files.source_file import check_is_data
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.runtime.errors import CheckpointError

if TYPE_CHECKING:
    import torch

_REFUSAL = "WeightsUnpickler error: "


def read_torch_file(path: Path) -> object:
    """Loads the content of a file that `torch.save` wrote.

    Objects of other classes than torch's are `inert_pickle.Inert`; tensors stay in the file. Files of torch before 1.6
    cannot be mapped and are read into memory.

    Raises:
        CheckpointError: torch is not installed; the file is absent, truncated or not torch's; or it names a class or
            function that no checkpoint needs.
    """
    check_is_data(path)
    try:
        import torch  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError as error:
        raise CheckpointError(
            f'{path.name} is a pickle, which takes torch to open: pip install "biogpt-onnx[export]", or save the model '
            "as safetensors"
        ) from error
    allowed = stand_ins(path)
    try:
        with torch.serialization.safe_globals([*allowed]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # torch raises many types on broken files
        raise CheckpointError(f"{path.name} cannot be opened by torch: {_reason(error)}") from error


def torch_tensors(content: object, where: str) -> dict[str, CheckpointTensor]:
    """Returns the tensors of a state dict by stored name; their values stay where they are.

    Args:
        content: state dict that was loaded.
        where: name of it in an error.

    Raises:
        CheckpointError: the content is not a mapping of names to dense tensors.
    """
    import torch  # noqa: PLC0415 -- loaded already, or there would be no content

    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{where} holds no state dict but {type(content).__name__}")
    odd = [name for name, value in content.items() if not (isinstance(name, str) and _is_dense(value))]
    if odd:
        raise CheckpointError(f"{where} holds {odd[0]!a}, which is no dense tensor ({len(odd)} such entries)")
    return {
        name: CheckpointTensor(
            name,
            tuple(value.shape),
            str(value.dtype).removeprefix("torch."),
            partial(_read_rows, value.detach()),
        )
        for name, value in content.items()
        if isinstance(value, torch.Tensor)
    }


def _is_dense(value: object) -> bool:
    import torch  # noqa: PLC0415 -- loaded already, or there would be no value

    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _read_rows(tensor: "torch.Tensor", start: int, stop: int) -> npt.NDArray[Any]:
    import torch  # noqa: PLC0415 -- loaded already, or there would be no tensor

    rows = tensor[start:stop].to(torch.float32)  # NumPy has no bfloat16
    return np.asarray(rows.numpy())


def _reason(error: Exception) -> str:
    """Returns the first sentence of torch's message, without its advice to load the file unsafely."""
    message = str(error).partition(_REFUSAL)[2] or str(error)
    sentence = message.strip().partition("\n")[0].partition(". ")[0]
    return sentence or type(error).__name__
