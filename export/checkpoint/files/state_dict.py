"""State dicts inside what training programs save: found one level down, under the names that these programs use."""

from collections.abc import Mapping

from biogpt_onnx.export.checkpoint.files.inert_pickle import PICKLED_MODULE, Inert
from biogpt_onnx.export.checkpoint.validate import printable
from biogpt_onnx.runtime.errors import CheckpointError

_KEYS = ("model_state_dict", "state_dict", "model", "module", "model_state", "weights")
_MOST_NAMES = 6


def find_state_dict(content: object, file_name: str) -> tuple[Mapping[object, object], str | None]:
    """Returns the state dict in a file's content, and the name of the entry that holds it; None for the content itself.

    Raises:
        CheckpointError: the file holds a pickled module, no state dict, or several.
    """
    if isinstance(content, Inert):
        raise CheckpointError(f"{file_name} {PICKLED_MODULE}")
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{file_name} holds no state dict but {type(content).__name__}")
    found = [key for key in _KEYS if isinstance(value := content.get(key), Mapping) and _holds_tensors(value)]
    if len(found) == 1:
        return content[found[0]], found[0]
    if not found and _holds_tensors(content):
        return content, None
    if found:
        raise CheckpointError(f"{file_name} holds several state dicts, {' and '.join(found)}: save the one to export")
    if any(isinstance(content.get(key), Inert) for key in _KEYS):
        raise CheckpointError(f"{file_name} {PICKLED_MODULE}")
    names = ", ".join(printable(str(key)) for key in list(content)[:_MOST_NAMES])
    raise CheckpointError(f"{file_name} holds no weights, but {names}: save the model's state_dict")


def _holds_tensors(content: Mapping[object, object]) -> bool:
    import torch  # noqa: PLC0415 -- loaded already, or there would be no content

    return any(isinstance(value, torch.Tensor) for key, value in content.items() if isinstance(key, str))
