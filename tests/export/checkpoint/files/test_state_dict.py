"""What a file of torch holds: weights, weights one level down, or something that is answered with what to save."""

from typing import Any

import numpy as np
import pytest

from biogpt_onnx.export.checkpoint.files.inert_pickle import Inert
from biogpt_onnx.export.checkpoint.files.state_dict import find_state_dict
from biogpt_onnx.runtime.errors import CheckpointError


class Model(Inert):
    """A stand-in for a pickled module."""


@pytest.mark.parametrize("content", [Model(), {"model": Model(), "epoch": 3}])
def test_a_pickled_model_is_answered_with_what_to_save(content: object) -> None:
    pytest.importorskip("torch")  # which such files come from, and whose tensors are looked for
    with pytest.raises(CheckpointError, match=r"a\.bin is a pickled model, not its weights: nothing in it was run"):
        find_state_dict(content, "a.bin")


@pytest.mark.parametrize(
    ("content", "kind"), [([], "list"), ({}, "dict"), (np.zeros(3), "ndarray"), (None, "NoneType")]
)
def test_what_is_no_mapping_is_named_by_its_type(content: Any, kind: str) -> None:
    with pytest.raises(CheckpointError, match=f"a.bin holds no state dict but {kind}"):
        find_state_dict(content, "a.bin")
