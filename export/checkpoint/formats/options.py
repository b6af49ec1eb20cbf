"""What a user says of a checkpoint beside its name."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from biogpt_onnx.export.checkpoint.adapters.adapter import Adapter, read_adapter
from biogpt_onnx.export.checkpoint.validate import Problems


@dataclass(frozen=True)
class OpenOptions:
    """Options of the readers of files.

    Attributes:
        vocabulary: folder of the vocabulary, where it is not with the weights.
        adapter: folder of an adapter to merge.
        num_heads: number of attention heads, for a fairseq file that does not say it.
        scale_embedding: whether embeddings are scaled, for a fairseq file that does not say it.
        ignore_generation_config: True to leave the decoding that the authors chose out.
        note: what is to be noted of how the checkpoint was found.
    """

    vocabulary: Path | None = None
    adapter: Path | None = None
    num_heads: int | None = None
    scale_embedding: bool | None = None
    ignore_generation_config: bool = False
    note: str | None = None

    def with_adapter(self, folder: Path, note: str) -> Self:
        """Returns the options with an adapter, and a note on it."""
        return replace(self, adapter=folder, note=note)

    def read_adapter(self, problems: Problems) -> Adapter | None:
        """Returns the adapter that is to be merged; None without one, or where it cannot be read."""
        problems.note(*([self.note] if self.note else []))
        return None if self.adapter is None else problems.collect(read_adapter, self.adapter, problems)

    def vocabulary_folders(self, *folders: Path) -> tuple[Path, ...]:
        """Returns the folders that may hold the vocabulary: the one that is named, or the adapter's and these."""
        if self.vocabulary is not None:
            return (self.vocabulary,)
        return (*([] if self.adapter is None else [self.adapter]), *folders)
