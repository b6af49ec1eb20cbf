"""Merge of an adapter into a checkpoint's tensors, as these are read."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from biogpt_onnx.export.checkpoint.adapters.adapter import Adapter
from biogpt_onnx.export.checkpoint.adapters.changes import AddedVector, Change, LowRank, ReplacedRows
from biogpt_onnx.export.checkpoint.names import EMBEDDING, HEAD, expected_shapes, to_huggingface
from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, head_is_tied
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import CheckpointError

Tensors = dict[str, CheckpointTensor]


def merge_adapter(
    adapter: Adapter, architecture: Architecture, tensors: Mapping[str, CheckpointTensor], problems: Problems
) -> tuple[Architecture, Tensors]:
    """Returns the architecture and the tensors with an adapter merged, which compute what base and adapter do together.

    Embedding and head are changed each by itself, as in training, so that a change of one alone unties them. Only the
    adapter's own matrices are kept in memory.

    Args:
        adapter: adapter.
        architecture: base's architecture.
        tensors: base's tensors by canonical name; without the head where it is tied.
        problems: gets notes.

    Raises:
        CheckpointError: the adapter does not fit the base.
    """
    merged = dict(tensors) | dict(adapter.replaced)
    if architecture.tied_head and HEAD not in merged:
        merged[HEAD] = replace(
            tensors[EMBEDDING] if _replaces_embedding_alone(adapter) else merged[EMBEDDING], name=HEAD
        )
    untied = replace(architecture, vocab_size=merged[EMBEDDING].shape[0], tied_head=False)
    shapes = expected_shapes(untied)
    unknown = [name for name in merged if name not in shapes]
    if unknown:
        raise CheckpointError(f"{adapter.folder}: the adapter has {unknown[0]}, which the base has not")
    changed = list(_changes(adapter, shapes, tied=architecture.tied_head))
    for name, change in changed:
        merged[name] = change(merged[name])
    if any(tensor.shape != shapes[name] for name, tensor in merged.items()):
        name = next(name for name, tensor in merged.items() if tensor.shape != shapes[name])
        raise CheckpointError(
            f"{adapter.folder}: {name} becomes {list(merged[name].shape)}, not {list(shapes[name])}: the adapter is of "
            "another base"
        )
    problems.note(_summary(adapter, changed))
    return _with_head_if_untied(untied, merged, problems, was_tied=architecture.tied_head)


def _with_head_if_untied(
    untied: Architecture, merged: Tensors, problems: Problems, *, was_tied: bool
) -> tuple[Architecture, Tensors]:
    same_rows = (
        replace(merged[HEAD], name=EMBEDDING) == merged[EMBEDDING] and merged[HEAD].rows is merged[EMBEDDING].rows
    )
    if same_rows or head_is_tied(merged, problems, declared=None):
        del merged[HEAD]
        return replace(untied, tied_head=True), merged
    if was_tied:
        problems.note(
            "the adapter changes embedding or head alone: they are no longer tied, as in its training (peft's "
            "merge_and_unload would change both)"
        )
    return untied, merged


def _replaces_embedding_alone(adapter: Adapter) -> bool:
    """Returns True if the adapter has an embedding of its own and leaves the head as the base has it."""
    module = to_huggingface(EMBEDDING).removesuffix(".weight")
    named = any(module == name or module.endswith(f".{name}") for name in adapter.settings.modules_to_save)
    return named and EMBEDDING in adapter.replaced and EMBEDDING not in adapter.kept_bases


def _changes(adapter: Adapter, shapes: Mapping[str, tuple[int, ...]], *, tied: bool) -> Iterator[tuple[str, Change]]:
    for module in dict.fromkeys(module for module, _ in adapter.parts):
        parts = {part: tensor for (owner, part), tensor in adapter.parts.items() if owner == module}
        name = f"{module}.weight"
        if name not in shapes:
            raise CheckpointError(f"{adapter.folder}: the adapter changes {module}, which the base has not")
        rows = parts.pop("tokens", None)
        if parts:
            yield from _of_module(adapter, module, parts, shapes)
        if rows is not None:
            replaced = _replaced_rows(adapter, rows, shapes[name])
            yield from ((table, replaced) for table in ([EMBEDDING, HEAD] if tied else [EMBEDDING]))


def _of_module(
    adapter: Adapter, module: str, parts: Mapping[str, CheckpointTensor], shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, Change]]:
    name = f"{module}.weight"
    is_table = "lora_embedding_A" in parts
    names = ("lora_embedding_A", "lora_embedding_B") if is_table else ("lora_A", "lora_B")
    if not all(part in parts for part in names):
        raise CheckpointError(f"{adapter.folder}: of {module} the adapter has {' and '.join(parts)} alone")
    first, second = (parts[part] for part in names)
    # PEFT keeps the factors of a table transposed.
    shape = (first.shape[-1], second.shape[0]) if is_table else (second.shape[0], first.shape[-1])
    fits = shape == shapes[name] and (first.shape[0], len(first.shape), len(second.shape)) == (second.shape[-1], 2, 2)
    if not fits:
        raise CheckpointError(
            f"{adapter.folder}: the matrices of {module}, {list(first.shape)} and {list(second.shape)}, do not fit its "
            f"weight {list(shapes[name])}: the adapter is of another base"
        )
    magnitude = parts.get("lora_magnitude_vector")
    if magnitude is not None and (is_table or magnitude.shape != (shape[0],)):
        raise CheckpointError(
            f"{adapter.folder}: DoRA of {module} with magnitudes {list(magnitude.shape)} is not supported: merge it "
            "with peft"
        )
    scaling = adapter.settings.scaling(to_huggingface(name).removesuffix(".weight"), first.shape[0])
    left, right = (first.read().T, second.read().T) if is_table else (second.read(), first.read())
    yield name, LowRank(left, right, scaling, None if magnitude is None else magnitude.read())
    if "lora_B.bias" in parts:
        bias = f"{module}.bias"
        if parts["lora_B.bias"].shape != shapes.get(bias):
            raise CheckpointError(f"{adapter.folder}: the adapter changes {bias}, which the base has not")
        yield bias, AddedVector(parts["lora_B.bias"].read(), scaling)


def _replaced_rows(adapter: Adapter, rows: CheckpointTensor, shape: tuple[int, ...]) -> ReplacedRows:
    ids = adapter.settings.token_ids
    if rows.shape != (len(ids), *shape[1:]) or any(number >= shape[0] for number in ids):
        raise CheckpointError(
            f"{adapter.folder}: the adapter's token rows {list(rows.shape)} do not fit its {len(ids)} "
            f"trainable_token_indices and the table {list(shape)}"
        )
    return ReplacedRows(ids, rows.read())


def _summary(adapter: Adapter, changed: list[tuple[str, Change]]) -> str:
    matrices = [change for _, change in changed if isinstance(change, LowRank)]
    ranks = sorted({change.right.shape[0] for change in matrices})
    scalings = sorted({change.scaling for change in matrices})
    parts = []
    if matrices:
        kind = "DoRA" if any(change.magnitude is not None for change in matrices) else "LoRA"
        parts.append(f"{kind} of {len(matrices)} matrices (rank {_either(ranks)}, scaling {_either(scalings)})")
    parts += [f"{len(adapter.settings.token_ids)} token rows"] if adapter.settings.token_ids else []
    parts += [f"{len(adapter.replaced)} tensors of its own"] if adapter.replaced else []
    return f"merged the adapter {adapter.folder.resolve().name}: {', '.join(parts) or 'which changes nothing'}"


def _either(numbers: list[int] | list[float]) -> str:
    return " or ".join(f"{number:g}" for number in numbers[:4]) + (" or others" if len(numbers) > 4 else "")  # noqa: PLR2004
