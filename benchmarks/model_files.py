"""A checkpoint as a Hugging Face folder, for what is measured to read."""

from pathlib import Path

from safetensors.numpy import save_file

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import to_huggingface
from biogpt_onnx.export.huggingface_files import write_huggingface_files


def write_safetensors(checkpoint: Checkpoint, folder: Path, dtype: str) -> Path:
    """Writes all files of the form; `dtype` is "float32" or "float16". Needs memory for all weights."""
    folder.mkdir()
    write_huggingface_files(checkpoint, folder)
    tensors = {to_huggingface(name): tensor.read().astype(dtype) for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
