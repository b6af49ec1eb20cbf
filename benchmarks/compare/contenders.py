"""Contenders of the comparison: our bundles and the catalogue's peers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.compare.models import MadeModels, size_on_disk
from benchmarks.compare.peers import catalogue
from benchmarks.compare.peers.catalogue import Peer
from benchmarks.model_files import FLOAT32
from biogpt_onnx.bench.contender import OURS, Contender, bundle_contender, expected_resident_bytes
from biogpt_onnx.bench.roofline import ModelSize, step_bytes

# Measured only in the scenarios that all contenders are measured in, unless everyone is asked for.
_OURS_IN_BRIEF = ("int8-dynamic",)
_PEERS_IN_FULL = ("transformers fp32",)

_NO_SIZE = ModelSize(0, 0, 0, 0, 0)

# No peer may go to the network, nor report home.
_OFFLINE: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def our_contender(models: MadeModels, model: str, recipe: str, *, in_full: bool = False) -> Contender:
    """Makes a contender of one of our bundles.

    Args:
        models: where the bundle is made.
        model: `BIOGPT`, `PLAIN` or `OUTLIERS`.
        recipe: or `FLOAT32`.
        in_full: whether it is measured in every scenario, whatever it is.
    """
    wanted = in_full or recipe not in _OURS_IN_BRIEF
    return bundle_contender(models.bundle(model, recipe), f"{OURS} {recipe}", in_all_scenarios=wanted)


def peer_contender(models: MadeModels, model: str, peer: Peer, *, in_full: bool = False) -> Contender:
    """Makes a contender of a peer with the same weights.

    Args:
        models: where the peer's model is made.
        model: `BIOGPT`, `PLAIN` or `OUTLIERS`.
        peer: of the catalogue.
        in_full: whether it is measured in every scenario, whatever it is.

    Raises:
        PreparationError: its model cannot be made.
    """
    folder = models.peer(peer, model)
    # Sizes that depend on the model alone are those of our bundle.
    ours = our_contender(models, model, FLOAT32)
    return replace(
        described_peer(peer),
        command=partial(catalogue.serve_command, peer, folder),
        digest=folder.name,
        disk_bytes=size_on_disk(folder),
        step_bytes=step_bytes(ours.size, peer.precision) or ours.step_bytes,
        size=ours.size,
        max_positions=ours.max_positions,
        vocab_size=ours.vocab_size,
        resident_bytes=expected_resident_bytes(size_on_disk(folder)),
        environment={**_OFFLINE, **catalogue.VARIABLES, "PATH": _path_with(catalogue.environment(peer))},
        in_all_scenarios=in_full or peer.precision == "int8" or peer.name in _PEERS_IN_FULL,
    )


def described_peer(peer: Peer) -> Contender:
    """Makes a contender of what the catalogue says alone, for a row that tells why a peer is not measured."""
    return Contender(
        name=peer.name,
        family=peer.package,
        variant=peer.variant,
        precision=peer.precision,
        remark=peer.remark,
        command=lambda _threads: [],
        digest="",
        disk_bytes=0,
        step_bytes=0,
        size=_NO_SIZE,
        max_positions=0,
        vocab_size=0,
    )


def _path_with(environment: Path) -> str:
    return os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", "")])
