from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest

NEIGHBOURS = [[2, 900, 12], [2], [2, 30, 31, 32, 33, 34, 35], [2, 77]]


@pytest.fixture(scope="module")
def session(mini_bundle: Path) -> DecoderSession:
    return DecoderSession(mini_bundle, read_manifest(mini_bundle))


def logits_of_first(session: DecoderSession, prompts: list[list[int]], steps: int) -> npt.NDArray[np.float32]:
    """The first row's logits of each step, all rows going on with the same tokens."""
    cache = session.new_cache(len(prompts), 16)
    for row, prompt in enumerate(prompts):
        session.forward(np.array([prompt]), cache.row(row))
    return np.stack([session.forward(np.full((len(prompts), 1), 50 + step), cache)[0] for step in range(steps)])


@pytest.mark.parametrize("others", range(1, len(NEIGHBOURS) + 1))
def test_a_rows_logits_do_not_depend_on_its_neighbours_to_the_last_bit(session: DecoderSession, others: int) -> None:
    prompt = [2, 500, 600, 700]
    alone = logits_of_first(session, [prompt], steps=3)
    together = logits_of_first(session, [prompt, *NEIGHBOURS[:others]], steps=3)
    np.testing.assert_array_equal(together, alone)


def test_the_provider_that_runs_can_be_asked(session: DecoderSession) -> None:
    assert session.provider == "CPUExecutionProvider"


# Sequences are cut at multiples of four alone: with others, last bits differ on some processors.
@pytest.mark.parametrize("cut", [4, 20, 28, 36])
def test_a_prompt_read_in_parts_has_the_logits_of_the_whole_to_the_last_bit(session: DecoderSession, cut: int) -> None:
    ids = np.arange(100, 140)[None]
    whole = session.forward(ids, session.new_cache(1, 40))
    cache = session.new_cache(1, 64)
    session.forward(ids[:, :cut], cache)
    np.testing.assert_array_equal(session.forward(ids[:, cut:], cache), whole)
