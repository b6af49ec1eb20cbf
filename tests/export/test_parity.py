import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.export.parity import compare_with
from biogpt_onnx.export.parity_report import ParityReport, Tolerance, Verdict
from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.backends.protocol import Backend
from biogpt_onnx.runtime.errors import CheckpointError
from makers.checkpoints import lively_tensors, tiny_architecture, write_fairseq, write_huggingface

pytest.importorskip("torch")
pytest.importorskip("transformers")

from biogpt_onnx.export.reference import TransformersReference, open_reference


def session_of(source: Path | str, target: Path) -> Backend[Any]:
    return CpuBackend(DecoderSession(target, export_bundle(open_checkpoint(source), target)))


ODD = {
    "one of everything": {"num_layers": 1, "hidden_size": 8, "num_heads": 1, "intermediate_size": 1},
    "odd sizes": {},
    "many heads": {"hidden_size": 104, "num_heads": 13, "num_layers": 2},
    "soft prompt": {"soft_prompt_size": 9},
    "own head": {"tied_head": False},
    "unscaled embedding": {"scale_embedding": False},
    "few positions": {"max_positions": 11},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD.keys())
def test_every_way_of_computing_agrees_with_transformers(changes: dict[str, int], tmp_path: Path) -> None:
    architecture = tiny_architecture(**changes)
    folder = write_huggingface(tmp_path / "checkpoint", architecture, lively_tensors(architecture))
    report = compare_with(session_of(folder, tmp_path / "bundle"), open_reference(str(folder)))
    assert report.passed, report.table()
    assert len(report.logits) == 5
    assert len(report.tokens) == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_checkpoints_agree_with_transformers(dtype: str, tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "checkpoint", tiny_architecture(), dtype=dtype)
    report = compare_with(session_of(folder, tmp_path / "bundle"), open_reference(str(folder)))
    assert report.passed, report.table()


def test_a_fairseq_checkpoint_agrees_with_transformers(tmp_path: Path) -> None:
    architecture = tiny_architecture(hidden_size=64, num_heads=1)
    folder = write_fairseq(tmp_path / "checkpoint", architecture, args=Namespace(decoder_attention_heads=1))
    report = compare_with(session_of(folder, tmp_path / "bundle"), open_reference(str(folder)))
    assert report.passed, report.table()


def test_the_embedded_checkpoint_agrees_with_transformers(mini_bundle: Path, mini_checkpoint: Path) -> None:
    from biogpt_onnx.runtime.bundle import read_manifest  # noqa: PLC0415

    session = CpuBackend(DecoderSession(mini_bundle, read_manifest(mini_bundle)))
    report = compare_with(session, open_reference(str(mini_checkpoint)))
    assert report.passed, report.table()
    assert {row.verdict for row in report.tokens} == {Verdict.PASS}


@pytest.mark.long
def test_full_size_logits_are_within_a_ten_thousandth_of_transformers(tmp_path: Path) -> None:
    report = compare_with(
        session_of("preset:biogpt", tmp_path / "bundle"),
        open_reference("preset:biogpt"),
        tolerance=Tolerance(absolute=1e-4, relative=0),
        longest=12,
        max_new_tokens=4,
    )
    assert report.passed, report.table()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Backend[Any], TransformersReference]:
    folder = tmp_path_factory.mktemp("tiny")
    write_huggingface(folder / "checkpoint", tiny_architecture(), lively_tensors(tiny_architecture()))
    return session_of(folder / "checkpoint", folder / "bundle"), open_reference(str(folder / "checkpoint"))


class Shifted:
    """The reference, but for one thing."""

    def __init__(self, reference: TransformersReference, shift: float, token: int | None = None) -> None:
        self.reference = reference
        self.vocab_size = reference.vocab_size
        self.max_positions = reference.max_positions
        self.shift = shift
        self.token = token

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        logits = self.reference.logits(ids)
        logits[-1, 7] += self.shift
        return logits

    def left_padded_logits(self, batch: Sequence[Sequence[int]]) -> list[npt.NDArray[np.float32]]:
        return self.reference.left_padded_logits(batch)

    def greedy(self, ids: Sequence[int], max_new_tokens: int) -> list[int]:
        tokens = self.reference.greedy(ids, max_new_tokens)
        return tokens if self.token is None else [*tokens[:-1], self.token]


def report_of(tiny: tuple[Backend[Any], TransformersReference], shift: float, token: int | None) -> ParityReport:
    session, reference = tiny
    return compare_with(session, Shifted(reference, shift, token), max_new_tokens=8)


def test_one_wrong_logit_fails_the_report(tiny: tuple[Backend[Any], TransformersReference]) -> None:
    report = report_of(tiny, 2e-3, None)
    assert not report.passed
    assert report.logits[0].verdict is Verdict.FAIL
    assert "FAIL" in report.table()


class Stretched(Shifted):
    """The reference with logits that spread so many times as far, and one that is off."""

    def __init__(self, reference: TransformersReference, factor: float, shift: float) -> None:
        super().__init__(reference, shift)
        self.factor = factor

    def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        return super().logits(ids) * np.float32(self.factor)

    def left_padded_logits(self, batch: Sequence[Sequence[int]]) -> list[npt.NDArray[np.float32]]:
        return [logits * np.float32(self.factor) for logits in super().left_padded_logits(batch)]


class StretchedBackend:
    """A backend with logits that spread so many times as far, each off by a rounding of this size."""

    def __init__(self, backend: Backend[Any], factor: float, rounding: float) -> None:
        self.backend, self.factor, self.rounding = backend, np.float32(factor), np.float32(rounding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def forward(self, *arguments: Any, **named: Any) -> npt.NDArray[np.float32]:
        logits: npt.NDArray[np.float32] = self.backend.forward(*arguments, **named)
        return logits * self.factor + self.rounding


@pytest.mark.parametrize(("shift", "passes"), [(0, True), (1e-3, False)])
def test_rounding_of_logits_that_spread_far_is_no_fault_and_a_fault_is_one(
    tmp_path: Path, shift: float, *, passes: bool
) -> None:
    # Its weights are small, so that the rounding is the one that is put in.
    folder = write_huggingface(tmp_path / "checkpoint", tiny_architecture())
    session, reference = session_of(folder, tmp_path / "bundle"), open_reference(str(folder))
    spread = float(reference.logits([2, 5, 9]).std(axis=-1).mean())
    factor = 12 / spread
    backend: Any = StretchedBackend(session, factor, 2e-4)
    report = compare_with(backend, Stretched(reference, factor, shift), max_new_tokens=4)
    assert report.tolerance.absolute == pytest.approx(1e-4 * 12 / 2, rel=0.2)
    assert all((row.verdict is Verdict.PASS) == passes for row in report.logits[:4])
    strict = compare_with(backend, Stretched(reference, factor, 0), tolerance=Tolerance(1e-4), max_new_tokens=4)
    assert not strict.passed


def test_logits_of_the_usual_spread_are_held_to_a_ten_thousandth() -> None:
    assert Tolerance.for_spread(0.5) == Tolerance.for_spread(1.9) == Tolerance()
    assert Tolerance.for_spread(float("nan")) == Tolerance()


def test_one_wrong_token_fails_the_report(tiny: tuple[Backend[Any], TransformersReference]) -> None:
    report = report_of(tiny, 0, 33)
    assert [row.verdict for row in report.tokens] == [Verdict.FAIL, Verdict.FAIL]
    assert report.tokens[0].num_equal < report.tokens[0].num_tokens
    assert not report.passed


def test_another_token_where_two_are_equally_likely_is_not_taken_for_a_fault(
    tiny: tuple[Backend[Any], TransformersReference],
) -> None:
    session, reference = tiny

    class Tied(Shifted):
        def logits(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
            logits = self.reference.logits(ids)
            logits[:, 33] = logits.max(axis=-1)
            return logits

    tokens = compare_with(session, Tied(reference, 0, 33), max_new_tokens=8).tokens
    assert [row.verdict for row in tokens] == [Verdict.AMBIGUOUS, Verdict.AMBIGUOUS]


@pytest.mark.parametrize("what", ["vocab_size", "max_positions"])
def test_a_checkpoint_of_another_size_is_another_model(
    tiny: tuple[Backend[Any], TransformersReference], what: str
) -> None:
    """And no difference of logits, which the report would show without its cause."""
    session, reference = tiny
    other = Shifted(reference, 0.0)
    setattr(other, what, getattr(reference, what) + 1)
    with pytest.raises(CheckpointError, match=f"of another model: its {what} is "):
        compare_with(session, other)


@pytest.mark.parametrize("module", ["torch", "transformers"])
def test_without_what_it_compares_with_the_error_says_what_to_install(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CheckpointError, match=rf"the comparison needs {module}, .*biogpt-onnx\[verify\]"):
        open_reference("preset:biogpt")
