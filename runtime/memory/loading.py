"""The check of a bundle before it is loaded."""

import warnings
from collections.abc import Iterator
from pathlib import Path

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.memory.formula import STARTED_BYTES, MemoryNeed, memory_need
from biogpt_onnx.runtime.memory.guard import ReadRoom, refuse_excess
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.system.room import Room, mebibytes, read_room

_SMALLER = {
    "fp32": "quantize it (int4 is the smallest recipe), or share its weights (share_weights=True)",
    "int4": "share its weights (share_weights=True)",
}
_OTHERS = "take a smaller recipe (int4 is the smallest), or share the weights (share_weights=True)"
_SHARED = "take a smaller recipe (int4 is the smallest)"


def check_room_for(folder: Path, manifest: Manifest, options: LoadOptions, read: ReadRoom = read_room) -> None:
    """Compares the memory that a bundle needs on a CPU with what is left, before anything is loaded.

    Memory that is needed for certain and is not there is an error. A warning is given where the model may work, but
    slowly or not with the longest sequences.

    Args:
        folder: folder of the bundle.
        manifest: manifest of the bundle.
        options: options of loading.
        read: returns the room that there is.

    Raises:
        MemoryLimitError: the bundle does not fit.
    """
    room = read()
    if not options.check_memory or room is None:
        return

    need = memory_need(manifest, prepack=options.prepack, share_weights=options.share_weights)
    remedy = _SHARED if options.share_weights else _SMALLER.get(manifest.precision, _OTHERS)
    refuse_excess(need.total - STARTED_BYTES, f"loading {folder}", f"{remedy}, or give more memory", lambda: room)
    for warning in _warnings(manifest, options, need, room):
        warnings.warn(f"{folder}: {warning}", RuntimeWarning, stacklevel=2)


def _warnings(manifest: Manifest, options: LoadOptions, need: MemoryNeed, room: Room) -> Iterator[str]:
    """Yields what is to be said of a bundle that may work."""
    lacking = need.total - STARTED_BYTES
    if lacking > room.free:
        yield (
            f"{mebibytes(lacking)} more memory are needed and {mebibytes(room.free)} are left of {room.bound} without "
            "swapping, which is slow: take a smaller recipe, or give more memory"
        )
    elif room.slows is not None and lacking > room.slows:
        yield (
            f"{mebibytes(lacking)} more memory are needed, and from {mebibytes(room.slows)} on the control group slows "
            "the process down (memory.high): take a smaller recipe, or raise it"
        )
    elif lacking + need.mapped > room.free:
        yield (
            f"the mapped weights of {mebibytes(need.mapped)} do not fit in the {mebibytes(room.free)} that are left of "
            f"{room.bound}, so that every pass reads them from the disk: take a smaller recipe, or give more memory"
        )
    elif options.max_positions is not None:
        longest = memory_need(
            manifest, positions=options.max_positions, prepack=options.prepack, share_weights=options.share_weights
        )
        if longest.total - STARTED_BYTES > room.free:
            yield (
                f"a sequence of {options.max_positions:,} tokens, which max_positions allows, does not fit in the "
                f"{mebibytes(room.free)} that are left of {room.bound}: lower max_positions, or give more memory"
            )
