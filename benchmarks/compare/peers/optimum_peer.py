"""BioGPT in optimum-onnx: its own traced graph in ONNX Runtime, in float32 and quantized dynamically."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.compare.peers.generating import generate
from benchmarks.compare.peers.protocol import PAD_ID, Adapter, Clock, run

_TASK = "text-generation-with-past"


class Optimum:
    """BioGPT loaded by optimum-onnx."""

    def __init__(self, folder: Path, variant: str, threads: int) -> None:
        import onnxruntime
        from optimum.onnxruntime import ORTModelForCausalLM

        del variant  # the graph says it itself
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._model: Any = ORTModelForCausalLM.from_pretrained(
            folder, provider="CPUExecutionProvider", session_options=options
        )
        self._model.generation_config.pad_token_id = PAD_ID

    def generate(self, prompts: list[list[int]], new_tokens: int, num_beams: int, clock: Clock) -> list[list[int]]:
        """Generates so many new tokens by `generate`."""
        return generate(self._model, prompts, new_tokens, num_beams, clock)

    def logits(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Returns the logits of all positions: [tokens, vocabulary]."""
        import torch

        prompt = torch.tensor([ids])
        positions = torch.arange(len(ids))[None]
        output = self._model(prompt, attention_mask=torch.ones_like(prompt), position_ids=positions)
        logits: npt.NDArray[np.float32] = output.logits[0].numpy()
        return logits


def prepare(checkpoint: Path, output: Path, variant: str) -> None:
    """Exports the model as one that takes positions, and quantizes it where the variant says so."""
    from optimum.exporters.onnx import main_export

    graph = output / "float32" if variant == "int8-dynamic" else output
    main_export(
        str(checkpoint),
        output=graph,
        task=_TASK,
        custom_onnx_configs={"model": _onnx_config(checkpoint)},
        do_validation=False,
        no_post_process=False,
    )
    if variant == "int8-dynamic":
        _quantize(graph, output)
        shutil.rmtree(graph)


def _onnx_config(checkpoint: Path) -> Any:  # noqa: ANN401 -- the library has no types
    from optimum.exporters.onnx.config import TextDecoderWithPositionIdsOnnxConfig
    from optimum.utils import NormalizedTextConfig
    from transformers import AutoConfig

    class BioGptOnnxConfig(TextDecoderWithPositionIdsOnnxConfig):  # type: ignore[misc] # untyped
        """Configuration with which the exporter exports BioGPT."""

        NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

    config = AutoConfig.from_pretrained(checkpoint)
    return BioGptOnnxConfig(config, task="text-generation", use_past=True, use_past_in_inputs=True)


def _quantize(graph: Path, output: Path) -> None:
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    # Signed weights overflow where there is no VNNI.
    of_this_cpu = AutoQuantizationConfig.avx512_vnni if _has_vnni() else AutoQuantizationConfig.avx2
    quantizer = ORTQuantizer.from_pretrained(graph, file_name="model.onnx")
    quantizer.quantize(
        of_this_cpu(is_static=False, per_channel=True),
        save_dir=output,
        file_suffix="",
        use_external_data_format=False,
    )


def _has_vnni() -> bool:
    return "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")


ADAPTER = Adapter(
    variants=("fp32", "int8-dynamic"),
    packages=("optimum-onnx", "onnxruntime", "transformers", "torch"),
    prepare=prepare,
    load=Optimum,
)

if __name__ == "__main__":
    sys.exit(run(ADAPTER))
