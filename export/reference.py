"""transformers' BioGPT on the same weights, the reference of the parity report."""

import importlib
import importlib.util
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biogpt_onnx.export.checkpoint.adapters.adapter import is_adapter
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.formats.huggingface_head import CLASSES
from biogpt_onnx.export.checkpoint.formats.weight_files import has_standard_weights
from biogpt_onnx.export.checkpoint.names import HEAD, to_huggingface
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.fairseq_reference import fairseq_model, fairseq_symbols, find_fairseq_file
from biogpt_onnx.export.huggingface_files import huggingface_config, write_huggingface_files
from biogpt_onnx.runtime.errors import CheckpointError
from biogpt_onnx.runtime.tokenizer.vocabulary import EOS_ID, PAD_ID

_OWN_READER = "weights by this package's reader, because transformers does not open this form"


class TransformersTokenizer:
    """Tokenizer `BioGptTokenizer` of transformers.

    Attributes:
        decodes_added_tokens_alike: False for versions before 5, which set added tokens off by spaces.
        added_tokens: texts of its added tokens with their ids.
    """

    def __init__(self, tokenizer: Any, version: str) -> None:  # noqa: ANN401 -- transformers' tokenizer
        self._tokenizer = tokenizer
        self.added_tokens: dict[str, int] = dict(tokenizer.get_added_vocab())
        self.decodes_added_tokens_alike = int(version.partition(".")[0]) >= 5  # noqa: PLR2004 -- a version

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, with the token that starts every sequence."""
        return [int(number) for number in self._tokenizer(text)["input_ids"]]

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


class TransformersReference:
    """Model `BioGptForCausalLM` in float32 with eager attention.

    Attributes:
        vocab_size: entries of a row of logits.
        max_positions: longest sequence, in tokens.
        end_token_ids: tokens that end a text.
        tokenizer: tokenizer of the checkpoint; None where only the model is compared.
        reading: how the checkpoint was read.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 -- transformers' model
        tokenizer: TransformersTokenizer | None = None,
        *,
        end_token_ids: Sequence[int] = (EOS_ID,),
        reading: str = "",
    ) -> None:
        self._torch = importlib.import_module("torch")
        self._model = model.float().eval()
        # The checkpoint's own decoding would change the tokens of `greedy`.
        model.generation_config = importlib.import_module("transformers").GenerationConfig()
        self.vocab_size: int = model.config.vocab_size
        self.max_positions: int = model.config.max_position_embeddings
        self.end_token_ids = tuple(end_token_ids)
        self.tokenizer = tokenizer
        self.reading = reading

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


def open_reference(source: str, **options: Any) -> TransformersReference:  # noqa: ANN401 -- see open_checkpoint
    """Opens a checkpoint in transformers, independently of this package's readers wherever the form allows it.

    A Hugging Face folder is opened by transformers itself, and its adapter by peft where that is installed. A fairseq
    file is mapped by a plain reading of its own. Any other form is opened by this package's readers, which `reading`
    then says.

    Args:
        source: checkpoint in any form that `open_checkpoint` takes.
        options: keyword arguments of `open_checkpoint`.

    Raises:
        CheckpointError: the checkpoint cannot be opened, has a classification head, or transformers or torch is not
            installed.
    """
    transformers = import_transformers()
    checkpoint = open_checkpoint(source, **options)
    if checkpoint.head is not None:
        raise CheckpointError(
            f"{source} has a {checkpoint.head.kind} head, the bundle a language-model head: name the checkpoint that "
            "it is made from"
        )
    model, reading = _model(transformers, Path(source), checkpoint, options)
    tokenizer = _tokenizer(transformers, Path(source), checkpoint, options)
    configured = model.generation_config.eos_token_id
    end_token_ids = configured if isinstance(configured, list) else [] if configured is None else [configured]
    return TransformersReference(
        model, TransformersTokenizer(tokenizer, transformers.__version__), end_token_ids=end_token_ids, reading=reading
    )


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
    fields = huggingface_config(checkpoint.architecture, head, end_token_ids=checkpoint.generation.end_token_ids)
    config = transformers.BioGptConfig(**fields)
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


def _model(transformers: Any, path: Path, checkpoint: Checkpoint, options: dict[str, Any]) -> tuple[Any, str]:  # noqa: ANN401 -- transformers and its model
    adapter = options.get("adapter")
    if checkpoint.source.startswith("fairseq:") and adapter is None:
        file = find_fairseq_file(path, checkpoint.source)
        return fairseq_model(transformers, file, checkpoint), "weights by a plain reading of the fairseq file"
    if (path / "config.json").is_file() and has_standard_weights(path):
        model, info = transformers.BioGptForCausalLM.from_pretrained(
            path, local_files_only=True, output_loading_info=True
        )
        complete = not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        if complete and adapter is None and not (is_adapter(path) and not options.get("no_adapter")):
            return model, "weights by transformers"
        if complete and adapter is not None and importlib.util.find_spec("peft") is not None:
            peft = importlib.import_module("peft")
            return peft.PeftModel.from_pretrained(model, str(adapter)), "weights by transformers, the adapter by peft"
    return model_of(transformers, checkpoint), _OWN_READER


def _tokenizer(transformers: Any, path: Path, checkpoint: Checkpoint, options: dict[str, Any]) -> Any:  # noqa: ANN401 -- transformers and its tokenizer
    folders = [options.get("vocabulary"), options.get("adapter"), path]
    folder = next((folder for folder in folders if folder is not None and (folder / "vocab.json").is_file()), None)
    if folder is not None:
        return transformers.BioGptTokenizer.from_pretrained(str(folder), local_files_only=True)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        write_huggingface_files(checkpoint, made)
        symbols = fairseq_symbols(options.get("vocabulary"), *_symbol_folders(path, checkpoint))
        if symbols is not None:
            (made / "vocab.json").write_text(json.dumps(symbols), encoding="utf-8", newline="\n")
        return transformers.BioGptTokenizer.from_pretrained(str(made), local_files_only=True)


def _symbol_folders(path: Path, checkpoint: Checkpoint) -> list[Path]:
    """Returns the folders in which the vocabulary of a checkpoint in fairseq's form may lie, none of one elsewhere."""
    if not path.exists():
        return []
    if checkpoint.source.startswith("fairseq:"):
        path = find_fairseq_file(path, checkpoint.source).resolve().parent
    return [path, path.parent]


def _require(module: str) -> Any:  # noqa: ANN401 -- a module
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CheckpointError(
            f'the comparison needs {module}, which cannot be imported ({error}): pip install "biogpt-onnx[verify]"'
        ) from error
