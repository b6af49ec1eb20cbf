import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.ort import denormals
from biogpt_onnx.runtime.ort.denormals import denormals_as_zeros

DENORMAL = np.full(64, 1e-39, dtype=np.float32)
IDS = np.arange(100, 400)[None]

only_here = pytest.mark.skipif(not denormals.CAN_BE_ZEROS, reason="denormals cannot be taken as zeros on this system")


def are_zeros() -> bool:
    """Whether this thread takes denormals as zeros."""
    return not (DENORMAL * np.float32(1)).any()


@only_here
def test_denormals_are_zeros_within_the_block_and_as_before_behind_it() -> None:
    assert not are_zeros()
    with denormals_as_zeros():
        with denormals_as_zeros():
            assert are_zeros()
        assert are_zeros()
    assert not are_zeros()


@only_here
def test_they_are_as_before_behind_an_error() -> None:
    with pytest.raises(KeyError), denormals_as_zeros():
        raise KeyError
    assert not are_zeros()


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denormals, "CAN_BE_ZEROS", False)
    options: Any = SimpleNamespace()  # which takes no option
    denormals.take_denormals_as_zeros(options)
    with denormals_as_zeros():
        assert not are_zeros()


def logits(bundle: Path) -> npt.NDArray[np.float32]:
    """Logits after each token of a prompt of several attention tiles, and after a step."""
    session = DecoderSession(bundle, read_manifest(bundle))
    cache = session.new_cache(1, IDS.size + 1)
    prompt = session.forward(IDS, cache, logits_indices=np.arange(IDS.size))
    return np.concatenate([prompt, session.forward(IDS[:, :1], cache)])


@only_here
def test_no_bit_of_an_answer_depends_on_it(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_zeros = logits(mini_bundle)
    monkeypatch.setattr(denormals, "CAN_BE_ZEROS", False)
    np.testing.assert_array_equal(logits(mini_bundle), as_zeros)


@only_here
def test_the_thread_that_calls_takes_them_as_zeros_in_a_pass(
    mini_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = DecoderSession(mini_bundle, read_manifest(mini_bundle))
    found = []
    running: Any = SimpleNamespace(run_with_iobinding=lambda _: found.append(are_zeros()))
    monkeypatch.setattr(session, "_run", lambda *_: session._run_bound(running, binding, {}, {}))
    binding: Any = None
    session.forward(IDS, session.new_cache(1, IDS.size))
    assert found == [True]


def test_the_caller_s_own_arithmetic_stays_as_it_was(mini_bundle: Path) -> None:
    # A process of its own, as it is the first session that would change the thread.
    program = f"""
import numpy as np, biogpt_onnx
model = biogpt_onnx.load({str(mini_bundle)!r}, device="cpu")
model.generate("Aspirin", max_new_tokens=2)
print((np.full(64, 1e-39, dtype=np.float32) * np.float32(1)).all(), np.finfo(np.float32).smallest_subnormal > 0)
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, stdout=subprocess.PIPE, text=True)
    assert run.stdout.split() == ["True", "True"]
