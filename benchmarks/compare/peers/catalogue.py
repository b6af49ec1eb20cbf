"""Which peers there are, and by which commands they are prepared and served; see README.md for how each is run.

Needs the standard library alone, because whoever compares reads it in another environment than the peers run in.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
ENVIRONMENTS = ROOT / ".venv-peers"

# Marks in an environment's folder: it is complete, or the reason why it cannot be had.
INSTALLED = "installed"
FAILED = "failed"


@dataclass(frozen=True)
class Peer:
    """Another library running the same weights.

    Attributes:
        name: what a report calls it.
        package: the name of its environment, and of its file of requirements.
        script: the adapter in this folder.
        variant: which of the adapter's variants it is.
        precision: of the weights: "fp32", "bf16", "int8" or "int4".
        remark: what a fair reader must know of it.
        tolerance: how far its logits may be off, relative to their spread, where that is known to be more than its
            precision explains; it is measured all the same, and the report shows how far off it was.
    """

    name: str
    package: str
    script: str
    variant: str
    precision: str
    remark: str
    tolerance: float | None = None


_COMPILED = "torch.compile over a static cache; the prompt is read in eager mode; the first request of a shape compiles"
_SATURATES = "weights put into its decoder by us; where a CPU has no VNNI its 8-bit products saturate"
# Of random weights on AVX2 it was 0.37 off; by MKL, and on the embedded checkpoint, the same file comes out right.
_SATURATED = 0.5
_TANH = "as GPT-2, whose GELU is the tanh form; no beams"

_TRANSFORMERS = ("transformers", "transformers_peer.py")
_OPTIMUM = ("optimum", "optimum_peer.py")
_CTRANSLATE2 = ("ctranslate2", "ctranslate2_peer.py")
_OPENVINO = ("openvino", "openvino_peer.py")
_LLAMA_CPP = ("llama-cpp", "llama_cpp_peer.py")

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
    """The folder of the peer's environment, which need not be there."""
    return ENVIRONMENTS / peer.package


def unavailable(peer: Peer) -> str | None:
    """Why the peer cannot be run, in one line; None where its environment is complete."""
    folder = environment(peer)
    failed = folder / FAILED
    if failed.is_file():
        return failed.read_text(encoding="utf-8").strip() or f"{peer.package} could not be installed"
    if not (folder / INSTALLED).is_file():
        return f"{folder} is missing: make bench-peers"
    return None


def prepare_command(peer: Peer, checkpoint_folder: Path, output_folder: Path) -> list[str]:
    """Converts a Hugging Face folder of safetensors into what the peer loads; to be run once."""
    return [*_script(peer), "prepare", str(checkpoint_folder), str(output_folder), "--variant", peer.variant]


def serve_command(peer: Peer, output_folder: Path, threads: int) -> list[str]:
    """Serves what was prepared, on so many threads, by the protocol of protocol.py."""
    return [*_script(peer), "serve", str(output_folder), "--variant", peer.variant, "--threads", str(threads)]


def _script(peer: Peer) -> list[str]:
    return [str(environment(peer) / "bin" / "python"), str(Path(__file__).resolve().parent / peer.script)]
