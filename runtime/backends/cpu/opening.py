"""The CPU backend's entry in the registry."""

from pathlib import Path

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.cache import KeyValueCache
from biogpt_onnx.runtime.backends.cpu.opened_graph import not_run_on_cpu, runs_on_cpu
from biogpt_onnx.runtime.backends.cpu.quantized_cache import QuantizedCache
from biogpt_onnx.runtime.backends.cpu.quantized_session import QuantizedCacheSession, read_cache_scales
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.cpu.two_graph_session import TwoGraphSession
from biogpt_onnx.runtime.backends.spec import BackendSpec
from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.memory.loading import check_room_for
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.ort.protocols import OnnxRuntime
from biogpt_onnx.runtime.ort.providers import CPU_PROVIDER


def open_on_cpu(
    onnxruntime: OnnxRuntime, folder: Path, manifest: Manifest, options: LoadOptions
) -> CpuBackend[KeyValueCache] | CpuBackend[QuantizedCache]:
    """Opens a bundle on the CPU.

    Raises:
        ProviderError: ONNX Runtime has no kernels for the bundle on a CPU.
        BundleError: the graph cannot be loaded.
        ConfigError: a bad option, weights that cannot be shared, or a cache that cannot be used.
        MemoryLimitError: the bundle does not fit in the memory of the container or the machine.
    """
    del onnxruntime  # the session imports it
    if runs_on_cpu(manifest.precision):
        check_room_for(folder, manifest, options)
    session = DecoderSession(folder, manifest, options)
    if manifest.steps is not None:
        two = TwoGraphSession(session, DecoderSession(folder, manifest, options, steps=True))
        return CpuBackend(two, guard=session.guard, beam_decoder=two.steps)
    if manifest.cache is not None:
        quantized = QuantizedCacheSession(session, read_cache_scales(folder, manifest.architecture))
        return CpuBackend(quantized, quantized if options.mixed_passes else None, session.guard)
    return CpuBackend(session, session if session.is_mixed else None, session.guard)


CPU = BackendSpec(
    device="cpu",
    title="the CPU",
    provider=CPU_PROVIDER,
    runs=runs_on_cpu,
    no_provider='the installed ONNX Runtime has no CPU provider: pip install "biogpt-onnx[cpu]"',
    not_run=not_run_on_cpu,
    open=open_on_cpu,
)
