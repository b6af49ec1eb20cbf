"""Beam search over a tree: all beams of a prompt are branches in one row of a cache.

The prompt is read and stored once, and no cache is ever reordered.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from biogpt_onnx.runtime.backends.cpu.token_tree import TokenTree
from biogpt_onnx.runtime.backends.protocol import TreeCache, TreeModel
from biogpt_onnx.runtime.decoding.config import GenerationConfig
from biogpt_onnx.runtime.decoding.limits import Interrupted, Limits
from biogpt_onnx.runtime.decoding.reading import one_prompt_read
from biogpt_onnx.runtime.decoding.state import SequenceState
from biogpt_onnx.runtime.decoding.strategies.beam_state import BeamState
from biogpt_onnx.runtime.decoding.strategies.continuation_tree import ROOT

CacheT = TypeVar("CacheT", bound=TreeCache)


def beam_search(
    model: TreeModel[CacheT], prompt: SequenceState, config: GenerationConfig, limits: Limits
) -> Iterator[Sequence[SequenceState]]:
    """Finds the likeliest continuations of one prompt; yields after each step the finished ones, best first.

    What was yielded last is the answer: at least one sequence, and `config.num_beams` of them unless the rules allow
    fewer. Their scores are log-probabilities divided by length ** `config.length_penalty`.

    Args:
        model: the model.
        prompt: the sequence to continue; it stays as it is.
        config: how many beams, which rules, when to stop.
        limits: when reached, the running beams end as they are.

    Raises:
        ConfigError: the rules exclude every token.
    """
    beams = BeamState(prompt, config)
    room = config.num_beams * (prompt.max_new_tokens - 1)
    try:
        with one_prompt_read(model, prompt.prompt_ids, prompt.prefix, room, limits) as (cache, logits):
            tree = TokenTree(model, cache)
            nodes = [ROOT]  # where in the tree each beam's last token stands
            beams.advance(logits)
            yield beams.finished.best_first
            while beams.go_on():
                limits.check()
                parents = tree.keep([nodes[parent] for parent in beams.parents])
                beams.advance(tree.append(beams.last_tokens, parents))
                nodes = list(range(tree.num_nodes - len(parents), tree.num_nodes))
                yield beams.finished.best_first
    except Interrupted as interruption:
        beams.end(interruption.reason)
        yield beams.finished.best_first
