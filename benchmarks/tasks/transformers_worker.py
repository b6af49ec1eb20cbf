"""transformers on batches of prompts, told over a pipe what to generate.

Run as `python -m benchmarks.tasks.transformers_worker FOLDER THREADS`. The request `{"generate": {"prompts": [[ids]],
"targets": [[ids]]}}` is answered by the seconds that `generate` took. The model computes every step in full; a
processor makes the target's next token the likeliest.
"""

import sys
from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

from benchmarks.serving import Handlers, serve

_PAD_ID, _EOS_ID = 1, 2
_CERTAIN = 1e6


def _load(folder: str, threads: str) -> tuple[Mapping[str, object], Handlers]:
    import torch
    import transformers

    torch.set_num_threads(int(threads))
    load: Any = transformers.BioGptForCausalLM.from_pretrained
    model = load(folder).float().eval()
    return {"version": transformers.__version__}, {"generate": partial(_generate, torch, model)}


def _generate(torch: Any, model: Any, prompts: list[list[int]], targets: list[list[int]]) -> Mapping[str, object]:  # noqa: ANN401 -- imported where it is measured
    start = perf_counter()
    width = max(map(len, prompts))
    ids = torch.tensor([[_PAD_ID] * (width - len(prompt)) + prompt for prompt in prompts])

    def prescribe(written: Any, logits: Any) -> Any:  # noqa: ANN401 -- tensors
        place = written.shape[1] - width
        for row, target in enumerate(targets):
            logits[row, target[place] if place < len(target) else _EOS_ID] += _CERTAIN
        return logits

    with torch.inference_mode():
        model.generate(
            ids,
            attention_mask=(ids != _PAD_ID).long(),
            max_new_tokens=max(map(len, targets)),
            do_sample=False,
            pad_token_id=_PAD_ID,
            logits_processor=[prescribe],
        )
    return {"seconds": perf_counter() - start}


if __name__ == "__main__":
    serve(partial(_load, *sys.argv[1:]))
