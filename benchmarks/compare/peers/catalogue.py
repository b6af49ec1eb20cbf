"""Catalogue of the peers, and the commands that prepare and serve them; see README.md for how each is run.

Needs the standard library alone, because the environments are made with it before anything is installed.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
ENVIRONMENTS = ROOT / ".venv-peers"

VARIABLES = {"PYTHONPATH": str(ROOT)}
"""Environment variables of the commands: adapters are modules of this package, imported from the checkout."""

# Marks in an environment's folder: it is complete, or the reason why it cannot be had.
INSTALLED = "installed"
FAILED = "failed"


@dataclass(frozen=True)
class Peer:
    """Another library running the same weights.

    Attributes:
        name: what a report calls it.
        package: the name of its environment, and of its file of requirements.
        adapter: the name of its module in this folder.
        variant: the adapter's variant.
        precision: of the weights: "fp32", "bf16", "int8" or "int4".
        remark: what a fair reader must know of it.
        tolerance: how far its logits may be off, relative to their spread, where that is known to be more than its
            precision explains; it is measured all the same, and the report shows how far off it was.
    """

    name: str
    package: str
    adapter: str
    variant: str
    precision: str
    remark: str
    tolerance: float | None = None


_COMPILED = "torch.compile over a static cache; the prompt is read in eager mode; the first request of a shape compiles"
_SATURATES = "weights put into its decoder by us; where a CPU has no VNNI its 8-bit products saturate"
# Of random weights on AVX2 it was 0.37 off; by MKL, and on the embedded checkpoint, the same file comes out right.
_SATURATED = 0.5
_TANH = "as GPT-2, whose GELU is the tanh form; no beams"

_TRANSFORMERS = ("transformers", "transformers_peer")
_OPTIMUM = ("optimum", "optimum_peer")
_CTRANSLATE2 = ("ctranslate2", "ctranslate2_peer")
_OPENVINO = ("openvino", "openvino_peer")
_LLAMA_CPP = ("llama-cpp", "llama_cpp_peer")

PEERS: tuple[Peer, ...] = (
    Peer("transformers fp32", *_TRANSFORMERS, "fp32", "fp32", "not compiled"),
    Peer("transformers bf16", *_TRANSFORMERS, "bf16", "bf16", "not compiled"),
    Peer("transformers fp32 compiled", *_TRANSFORMERS, "fp32-compiled", "fp32", _COMPILED),
    Peer("transformers bf16 compiled", *_TRANSFORMERS, "bf16-compiled", "bf16", _COMPILED),
    Peer("optimum-onnx fp32", *_OPTIMUM, "fp32", "fp32", "exported by a configuration of ours"),
    Peer("optimum-onnx int8 dynamic", *_OPTIMUM, "int8-dynamic", "int8", "the same graph, quantized per channel"),
    Peer("CTranslate2 fp32", *_CTRANSLATE2, "fp32", "fp32", "weights put into its decoder by us"),
    Peer("CTranslate2 int8", *_CTRANSLATE2, "int8", "int8", _SATURATES, _SATURATED),
    Peer("OpenVINO int8", *_OPENVINO, "int8", "int8", "optimum-intel; activations and cache as OpenVINO chooses"),
    Peer("OpenVINO int4", *_OPENVINO, "int4", "int4", "optimum-intel; embedding and head in 8 bits"),
    Peer("llama.cpp Q8_0", *_LLAMA_CPP, "q8_0", "int8", _TANH),
    Peer("llama.cpp Q4_0", *_LLAMA_CPP, "q4_0", "int4", f"{_TANH}; head in 6 bits"),
)


def environment(peer: Peer) -> Path:
    """Returns the folder of the peer's environment, which need not be there."""
    return ENVIRONMENTS / peer.package


def unavailable(peer: Peer) -> str | None:
    """Returns why the peer cannot be run, in one line; None where its environment is complete."""
    folder = environment(peer)
    failed = folder / FAILED
    if failed.is_file():
        return failed.read_text(encoding="utf-8").strip() or f"{peer.package} could not be installed"
    if not (folder / INSTALLED).is_file():
        return f"{folder} is missing: make bench-peers"
    return None


def prepare_command(peer: Peer, checkpoint_folder: Path, output_folder: Path) -> list[str]:
    """Returns the command that converts a Hugging Face folder of safetensors into what the peer loads; runs once.

    Args:
        peer: of the catalogue.
        checkpoint_folder: the safetensors.
        output_folder: what the peer loads; it must not exist.
    """
    return [*_adapter(peer), "prepare", str(checkpoint_folder), str(output_folder), "--variant", peer.variant]


def serve_command(peer: Peer, output_folder: Path, threads: int) -> list[str]:
    """Returns the command that serves what was prepared, on so many threads, by the protocol of `protocol`."""
    return [*_adapter(peer), "serve", str(output_folder), "--variant", peer.variant, "--threads", str(threads)]


def _adapter(peer: Peer) -> list[str]:
    return [str(environment(peer) / "bin" / "python"), "-m", f"benchmarks.compare.peers.{peer.adapter}"]
