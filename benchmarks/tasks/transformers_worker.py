"""transformers on batches of prompts, told over a pipe what to write: `python benchmarks/transformers_tasks.py DIR N`.

N threads. A request is a JSON line {"prompts": [[ids]], "targets": [[ids]]}, the answer the seconds that `generate`
took. The model computes every step in full; a rule makes the target's next token the likeliest.
"""

import json
import sys
from time import perf_counter
from typing import Any

_PAD_ID, _EOS_ID = 1, 2
_CERTAIN = 1e6


def main(folder: str, threads: str) -> None:
    """Answers requests until there are no more."""
    import torch
    import transformers

    torch.set_num_threads(int(threads))
    load: Any = transformers.BioGptForCausalLM.from_pretrained
    model = load(folder).float().eval()
    print(json.dumps({"version": transformers.__version__}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"seconds": _seconds(torch, model, **request)}), flush=True)


def _seconds(torch: Any, model: Any, prompts: list[list[int]], targets: list[list[int]]) -> float:  # noqa: ANN401 -- imported where it is measured
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
    return perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:])
