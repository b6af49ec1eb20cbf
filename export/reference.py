"""transformers' BioGPT on the same weights, the reference of the parity report."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.huggingface_head import CLASSES
from biogpt_onnx.export.checkpoint.names import HEAD, to_huggingface
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.huggingface_files import huggingface_config
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID, PAD_ID


class TransformersReference:
    """Model `BioGptForCausalLM` in float32 with eager attention.

    Attributes:
        vocab_size: entries of a row of logits.
        max_positions: longest sequence, in tokens.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401 -- transformers' model
        self._torch = importlib.import_module("torch")
        self._model = model.float().eval()
        self.vocab_size: int = model.config.vocab_size
        self.max_positions: int = model.config.max_position_embeddings

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Returns the logits after each token, [len(ids), vocab]."""
        with self._torch.no_grad():
            return self._numpy(self._model(self._torch.tensor([list(ids)])).logits[0])

    def left_padded_logits(self, batch: Sequence[Sequence[int]]) -> list[npt.NDArray[np.float32]]:
        """Returns each row's logits [len(row), vocab], computed in one batch that is padded on the left."""
        width = max(map(len, batch))
        ids = self._torch.tensor([[PAD_ID] * (width - len(row)) + list(row) for row in batch])
        mask = self._torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        # Without position ids, recent versions count positions from the padding.
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with self._torch.no_grad():
            logits = self._model(ids, attention_mask=mask, position_ids=positions).logits
        return [self._numpy(logits[index, width - len(row) :]) for index, row in enumerate(batch)]

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        """Returns `max_new_tokens` new tokens by transformers' greedy search, in which no token ends the sequence."""
        prompt = self._torch.tensor([list(ids)])
        with self._torch.no_grad():
            generated = self._model.generate(
                prompt,
                attention_mask=self._torch.ones_like(prompt),
                max_new_tokens=max_new_tokens,
                min_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=PAD_ID,
                eos_token_id=EOS_ID,
            )
        return [int(token) for token in generated[0, len(ids) :]]

    @staticmethod
    def _numpy(tensor: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401 -- torch's tensor
        return np.asarray(tensor.numpy(), dtype=np.float32)


def open_reference(source: str, *, revision: str | None = None, seed: int = 0) -> TransformersReference:
    """Opens a checkpoint in transformers.

    A Hugging Face folder is opened by transformers itself, independently of this package's readers; any other form,
    which transformers cannot open, by these readers.

    Args:
        source: checkpoint in any form that `open_checkpoint` takes.
        revision: for a hub id, a branch, tag or commit.
        seed: seed of a preset's random weights.

    Raises:
        CheckpointError: the checkpoint cannot be opened, has a classification head, or transformers or torch is not
            installed.
    """
    transformers = import_transformers()
    checkpoint = open_checkpoint(source, revision=revision, seed=seed)
    if checkpoint.head is not None:
        raise CheckpointError(
            f"{source} has a {checkpoint.head.kind} head, the bundle a language-model head: name the checkpoint that "
            "it is made from"
        )
    if (Path(source) / "config.json").is_file():
        return TransformersReference(transformers.BioGptForCausalLM.from_pretrained(source, local_files_only=True))
    return TransformersReference(model_of(transformers, checkpoint))


def import_transformers() -> Any:  # noqa: ANN401 -- a module
    """Imports torch and transformers, whose messages are turned off.

    Raises:
        CheckpointError: one of them is not installed.
    """
    _require("torch")
    transformers = _require("transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def model_of(transformers: Any, checkpoint: Checkpoint) -> Any:  # noqa: ANN401 -- transformers and its model
    """Returns a checkpoint of any form as transformers' `BioGptForCausalLM`, or class of its head, in float32."""
    torch = importlib.import_module("torch")
    head = checkpoint.head
    config = transformers.BioGptConfig(**huggingface_config(checkpoint.architecture, head))
    kind = transformers.BioGptForCausalLM if head is None else getattr(transformers, CLASSES[head.kind])
    with torch.device("meta"):
        # On the meta device, no time is spent on initial weights that are replaced at once.
        model = kind(config)
    weights = {to_huggingface(name): torch.from_numpy(tensor.read()) for name, tensor in checkpoint.tensors.items()}
    if head is None and checkpoint.architecture.tied_head:
        weights[HEAD] = weights[to_huggingface("embed_tokens.weight")]
    model.load_state_dict(weights, strict=True, assign=True)
    model.tie_weights()
    return model


def _require(module: str) -> Any:  # noqa: ANN401 -- a module
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CheckpointError(
            f"the comparison needs {module}, which cannot be imported ({error}): pip install torch transformers"
        ) from error
