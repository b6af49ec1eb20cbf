"""Passes over documents: the logits, chunk by chunk, and then the cache of keys and values, as computed or recorded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from biogpt_onnx.quantize.evaluate.divergence import Logits
from biogpt_onnx.quantize.evaluate.layer_errors import CachedValues
from biogpt_onnx.quantize.evaluate.model_pair import OpenBundle, PairedBundle
from biogpt_onnx.runtime.backends.chunks import chunks, logits_by_chunk
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.protocol import Backend, CacheT
from biogpt_onnx.runtime.bundle.architecture import Architecture
from biogpt_onnx.runtime.errors import BundleError, ConfigError

Ids = Sequence[int]

_FLOAT = np.dtype(np.float32)

# Of a large model, a second or two go by while it opens, after each group of documents.
_MOST_RECORDED_BYTES = 2 << 30


@dataclass(frozen=True)
class DocumentPass:
    """A model's pass over a document.

    Attributes:
        logits: logits after each token, [tokens, vocab] a chunk, computed or read when they are asked for.
        cache: returns the keys and values of the document, complete when all logits have been taken.
    """

    logits: Iterator[Logits]
    cache: Callable[[], CachedValues]


def document_groups(bundle: PairedBundle, documents: Sequence[Ids]) -> Iterator[Sequence[Ids]]:
    """Yields the documents in groups, of which `document_passes` reads one after the other.

    Args:
        bundle: bundle that is to read them before another one does.
        documents: token ids of each.
    """
    if bundle.stays_open:
        yield documents
        return
    group: list[Ids] = []
    for ids in documents:
        tokens = sum(map(len, group)) + len(ids)
        if group and _recorded_bytes(bundle.manifest.architecture, tokens) > _MOST_RECORDED_BYTES:
            yield group
            group = []
        group.append(ids)
    yield group


@contextmanager
def document_passes(bundle: PairedBundle, documents: Sequence[Ids]) -> Iterator[Iterable[DocumentPass]]:
    """Yields a bundle's passes over documents, to be taken while the other bundle of the pair runs.

    They are recorded in a temporary file if only one of the two may be open. Taking the logits of a pass raises a
    `BundleError` where they are NaN or infinite.

    Args:
        bundle: bundle that reads.
        documents: token ids of each, a group of `document_groups`.

    Raises:
        ConfigError: the temporary file has no room.
    """
    if bundle.stays_open:
        with bundle.found(read_document, documents) as computed:
            yield computed
        return
    with TemporaryFile() as file, bundle.found(partial(_record, file=file), documents) as recorded:
        yield recorded


def read_document(model: OpenBundle, ids: Ids) -> DocumentPass:
    """Returns the pass of a model over a document, which is computed as its logits are taken.

    If sequences step over a cache in 8 bits or by a graph of their own, it steps through the whole document. Taking the
    logits raises a `BundleError` where they are NaN or infinite.

    Args:
        model: model that reads.
        ids: tokens of the document.
    """
    steps_alike = model.manifest.cache is None and model.manifest.steps is None
    return _pass_over(model, ids, logits_by_chunk if steps_alike else _logits_of_steps)


def read_as_prompt(model: OpenBundle, ids: Ids) -> DocumentPass:
    """Returns the pass of a model over a document that is read as prompts are; see `read_document`."""
    return _pass_over(model, ids, logits_by_chunk)


def _pass_over(
    model: OpenBundle, ids: Ids, logits: Callable[[Backend[Any], Ids, Any], Iterator[Logits]]
) -> DocumentPass:
    cache = model.session.new_cache(1, len(ids))
    return DocumentPass(_finite(model, logits(model.session, ids, cache)), lambda: cache)


def _logits_of_steps(session: Backend[CacheT], ids: Ids, cache: CacheT) -> Iterator[Logits]:
    """Yields the logits of steps, over the cache or by the graph that reading would leave out."""
    for chunk in chunks(0, len(ids)):
        yield session.verify(ids[chunk], cache).logits()


def _record(model: OpenBundle, ids: Ids, file: BinaryIO) -> DocumentPass:
    computed = read_document(model, ids)
    chunks = [_written(file, chunk) for chunk in computed.logits]
    cache = computed.cache()
    layers = [_written(file, cache.values(layer, row=0)) for layer in range(model.manifest.architecture.num_layers)]
    part = _Part(layers[0].offset, (len(layers), *layers[0].shape))  # [layers, 2, heads, tokens, head_size]
    # Without a reference to the computed cache, whose binding would keep the session and its weights.
    return DocumentPass((_mapped(file, chunk) for chunk in chunks), partial(_mapped_cache, file, part, cache.lengths))


def _mapped_cache(file: BinaryIO, part: "_Part", lengths: npt.NDArray[np.int64]) -> KeyValueCache:
    return KeyValueCache(_mapped(file, part)[:, :, None], lengths)


def _recorded_bytes(architecture: Architecture, tokens: int) -> int:
    values = architecture.vocab_size + 2 * architecture.num_layers * architecture.hidden_size
    return tokens * values * _FLOAT.itemsize


def _finite(model: OpenBundle, logits: Iterator[Logits]) -> Iterator[Logits]:
    for chunk in logits:
        if not np.isfinite(chunk).all():
            # Float16 ends at 65,504, which a sound model's activations may pass.
            remedy = "take the recipe bf16" if model.manifest.precision == "fp16" else "make the bundle again"
            raise BundleError(f"{model.folder} computes logits that are no numbers: {remedy}")
        yield chunk


class _Part(NamedTuple):
    """Place of an array in a file."""

    offset: int
    shape: tuple[int, ...]


def _written(file: BinaryIO, values: npt.NDArray[np.float32]) -> _Part:
    """Writes values at the end of a file."""
    part = _Part(file.tell(), values.shape)
    try:
        file.write(np.ascontiguousarray(values).data)
        file.flush()
    except OSError as error:
        raise ConfigError(
            f"what the baseline computes cannot be kept in the temporary folder {gettempdir()} "
            f"({error.strerror}): set the variable TMPDIR to a folder with more room"
        ) from error
    return part


def _mapped(file: BinaryIO, part: _Part) -> npt.NDArray[np.float32]:
    return np.asarray(np.memmap(file, _FLOAT, "r", part.offset, part.shape))
