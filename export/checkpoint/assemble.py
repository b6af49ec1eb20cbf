"""Last step of every reader of files: makes a checkpoint of its findings, or reports every problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from biogpt_onnx.export.checkpoint.adapters.adapter import Adapter
from biogpt_onnx.export.checkpoint.adapters.merging import merge_adapter
from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.generation_settings import GenerationSettings
from biogpt_onnx.export.checkpoint.names import HEAD, expected_shapes
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.tokenizer_files import AddedTokens
from biogpt_onnx.export.checkpoint.validate import Problems, check_tensors, head_is_tied, printable
from biogpt_onnx.export.checkpoint.vocabulary import Vocabulary, soft_prompt_size
from biogpt_onnx.runtime.bundle.architecture import MIN_POSITIONS, Architecture
from biogpt_onnx.runtime.bundle.classification_head import ClassificationHead


@dataclass(frozen=True)
class Findings:
    """Findings of a reader; a part that could not be read is None, and its problem is noted already.

    Attributes:
        path: path that the user named.
        architecture: network's shape, in which soft prompt and head are still to be decided.
        declared_tied: whether the configuration says that the head is tied; None where it does not say.
        vocabulary: vocabulary without the soft prompt's symbols.
        tensors: tensors by canonical name.
        head: classification head; None for a language model.
        generation: decoding that the checkpoint asks for.
        adapter: adapter to merge; None without one.
    """

    path: Path
    architecture: Architecture | None
    declared_tied: bool | None
    vocabulary: Vocabulary | None
    tensors: Mapping[str, CheckpointTensor] | None
    head: ClassificationHead | None = None
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    adapter: Adapter | None = None


def assemble(findings: Findings, problems: Problems, source: str) -> Checkpoint:
    """Makes the checkpoint of a reader's findings.

    Args:
        findings: parts that the reader found.
        problems: problems that it noted.
        source: origin that the checkpoint records.

    Raises:
        CheckpointError: there are problems; names every one noted so far and every one found here.
    """
    architecture, vocabulary, tensors = findings.architecture, findings.vocabulary, findings.tensors
    if architecture is not None and architecture.max_positions < MIN_POSITIONS:
        problems.add(
            f"the model has {architecture.max_positions} position (max_position_embeddings, max_target_positions), and "
            f"no text fits in fewer than {MIN_POSITIONS}: give the checkpoint's own configuration"
        )
    if architecture is not None and tensors is not None:
        # A classifier has no language-model head that could be other than the table.
        tied_head = findings.head is not None or head_is_tied(tensors, problems, declared=findings.declared_tied)
        architecture = replace(architecture, tied_head=tied_head)
        if tied_head and findings.head is None:
            tensors = {name: tensor for name, tensor in tensors.items() if name != HEAD}
        check_tensors(architecture, tensors, problems, findings.head)
        if findings.adapter is not None and not problems:
            merged = problems.collect(merge_adapter, findings.adapter, architecture, tensors, problems)
            architecture, tensors = merged or (architecture, tensors)
    if architecture is not None and vocabulary is not None:
        vocabulary = _within(vocabulary, architecture.vocab_size, problems)
        size = problems.collect(soft_prompt_size, architecture.vocab_size, vocabulary)
        architecture = replace(architecture, soft_prompt_size=size or 0)
        if size and not vocabulary.num_learned:
            problems.note(f"{size} rows of the embedding have no name: they are taken for a soft prompt")
    if architecture is None or vocabulary is None or tensors is None or problems:
        raise problems.error(findings.path)
    return Checkpoint(
        architecture=architecture,
        tensors={name: tensors[name] for name in expected_shapes(architecture, findings.head)},
        symbols=vocabulary.symbols,
        merges=vocabulary.merges,
        source=source if findings.adapter is None else f"{source} + adapter {findings.adapter.folder.resolve().name}",
        head=findings.head,
        added=vocabulary.added,
        generation=findings.generation,
        notes=tuple(problems.notes),
    )


def _within(vocabulary: Vocabulary, num_rows: int, problems: Problems) -> Vocabulary:
    """Returns the vocabulary without added tokens that the embedding has no rows for, as transformers loads it."""
    added = vocabulary.added
    beyond = [token for token in added.tokens if token.token_id >= max(num_rows, len(vocabulary.symbols))]
    if not beyond:
        return vocabulary
    problems.note(
        f"the embedding has no row for {len(beyond)} added tokens ({printable(beyond[0].content)}, "
        f"{beyond[0].token_id:,}): they are left out"
    )
    tokens = tuple(token for token in added.tokens if token not in beyond)
    names = {name: content for name, content in added.names.items() if content not in [one.content for one in beyond]}
    return replace(vocabulary, added=AddedTokens(tokens, names))
