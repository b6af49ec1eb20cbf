"""The last step of every reader of files: from what was found to a checkpoint, or to all that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from biogpt_onnx.export.checkpoint.checkpoint import Checkpoint
from biogpt_onnx.export.checkpoint.names import HEAD, expected_shapes
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, check_tensors, head_is_tied
from biogpt_onnx.export.checkpoint.vocabulary import Vocabulary, soft_prompt_size
from biogpt_onnx.runtime.bundle.architecture import Architecture


@dataclass(frozen=True)
class Findings:
    """What a reader found; None for a part that has a problem of its own.

    Attributes:
        path: what the user named.
        architecture: soft prompt and head still to be decided.
        declared_tied: whether the configuration says that the head is tied; None where it does not say.
        vocabulary: without the soft prompt's symbols.
        tensors: by canonical name.
    """

    path: Path
    architecture: Architecture | None
    declared_tied: bool | None
    vocabulary: Vocabulary | None
    tensors: Mapping[str, CheckpointTensor] | None


def assemble(findings: Findings, problems: Problems, source: str) -> Checkpoint:
    """Makes the checkpoint.

    Raises:
        CheckpointError: names every problem noted so far and every one found here.
    """
    architecture, vocabulary, tensors = findings.architecture, findings.vocabulary, findings.tensors
    if architecture is not None and vocabulary is not None:
        size = problems.collect(soft_prompt_size, architecture.vocab_size, vocabulary)
        architecture = replace(architecture, soft_prompt_size=size or 0)
    if architecture is not None and tensors is not None:
        tied_head = head_is_tied(tensors, problems, declared=findings.declared_tied)
        architecture = replace(architecture, tied_head=tied_head)
        if tied_head:
            tensors = {name: tensor for name, tensor in tensors.items() if name != HEAD}
        check_tensors(architecture, tensors, problems)
    if architecture is None or vocabulary is None or tensors is None or problems:
        raise problems.error(findings.path)
    return Checkpoint(
        architecture=architecture,
        tensors={name: tensors[name] for name in expected_shapes(architecture)},
        symbols=vocabulary.symbols,
        merges=vocabulary.merges,
        source=source,
    )
