from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx import BioGPT
from biogpt_onnx.runtime.backends.cuda.outputs import DeviceTokenScores
from biogpt_onnx.runtime.errors import BundleError
from makers.models import FakeModel

BAD = [np.nan, np.inf, -np.inf]


def engine(mini: BioGPT, value: float, after: int) -> BioGPT:
    """A model one of whose logits is this value from so many tokens on."""
    size = mini.tokenizer.vocab_size

    def answer(past: list[int]) -> npt.NDArray[np.float32]:
        logits = np.linspace(0, 1, size, dtype=np.float32)
        if len(past) >= after:
            logits[7] = value
        return logits

    return BioGPT(FakeModel(answer, vocab_size=size, max_positions=100).backend, mini.tokenizer, mini.manifest)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("after", [1, 5])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_beams": 3},
        {"do_sample": True, "seed": 1},
        {"prompt_lookup_num_tokens": 3},
        {"repetition_penalty": 1.2},
        {"allowed": ["more of it", "less of it"]},
    ],
)
def test_no_search_makes_text_of_logits_that_are_no_numbers(
    mini: BioGPT, value: float, after: int, settings: dict[str, Any]
) -> None:
    model = engine(mini, value, after)
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        model.generate("Aspirin", max_new_tokens=8, **settings)
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        model.generate(["Aspirin", "Insulin"], max_new_tokens=8, **settings)


@pytest.mark.parametrize("value", BAD)
def test_nothing_is_scored_by_logits_that_are_no_numbers(mini: BioGPT, value: float) -> None:
    model = engine(mini, value, 3)
    prefix = engine(mini, value, 90).prefix("The patient")
    assert prefix.ids
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        model.score("Aspirin inhibits platelets.")
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        model.choose("Aspirin is", ["good for the heart", "bad for the heart"])
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        model.choose(model.prefix("Aspirin is"), ["good for the heart", "bad for the heart"])


def test_a_stream_ends_with_the_error(mini: BioGPT) -> None:
    pieces = engine(mini, np.nan, 6).stream("Aspirin", max_new_tokens=8)
    with pytest.raises(BundleError, match="logits that are NaN or infinite"):
        list(pieces)


class Outputs:
    """What a pass has left in a device's memory: numbers that are none."""

    def read_best(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        return np.zeros((len(rows), 1), dtype=np.int64), np.full((len(rows), 1), np.nan, dtype=np.float32)

    def read_log_probabilities(self, rows: npt.NDArray[np.int64], _: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return np.full(len(rows), np.nan, dtype=np.float32)

    def read_logits(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return np.full((len(rows), 50), np.inf, dtype=np.float32)


def test_on_a_device_what_is_copied_to_the_host_is_looked_at() -> None:
    outputs: Any = Outputs()
    scores = DeviceTokenScores([(outputs, 0), (outputs, 1)], 50, nullcontext())
    first = np.array([0, 1])
    for read in (lambda: scores.top_tokens(1), lambda: scores.log_probabilities(first, first), scores.logits):
        with pytest.raises(BundleError, match="logits that are NaN or infinite"):
            read()
