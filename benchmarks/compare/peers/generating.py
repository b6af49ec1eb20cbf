"""Generation of exactly so many tokens by the `generate` of transformers, which optimum's models share."""

from typing import Any

from benchmarks.compare.peers.protocol import PAD_ID, Clock


def generate(
    model: Any,  # noqa: ANN401 -- of one of several libraries
    prompts: list[list[int]],
    new_tokens: int,
    num_beams: int,
    clock: Clock,
    **settings: Any,  # noqa: ANN401 -- further arguments of generate, as it defines them
) -> list[list[int]]:
    """Generates from prompts of equal length; the clock ticks when a step's logits are there.

    Args:
        model: has transformers' `generate`.
        prompts: token ids.
        new_tokens: how many are generated, whatever ends a text.
        num_beams: 1 is greedy search.
        clock: is told of each step.
        settings: further arguments of `generate`.

    Returns:
        The new tokens of each row's best beam.
    """
    import torch

    def look_at_the_clock(_ids: object, logits: object) -> object:
        clock.tick()
        return logits

    ids = torch.tensor(prompts)
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            num_beams=num_beams,
            do_sample=False,
            pad_token_id=PAD_ID,
            logits_processor=[look_at_the_clock],
            **settings,
        )
    rows: list[list[int]] = output[:, ids.shape[1] :].tolist()
    return rows
