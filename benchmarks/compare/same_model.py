"""Same-model check: a contender's logits against our float32 ones."""

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.measuring.interleaving import random_prompts
from biogpt_onnx.bench.measuring.process import ContenderError, PinnedProcess

PROMPT_TOKENS = 64

TOLERANCES = {"fp32": 1e-3, "fp16": 3e-2, "bf16": 3e-2, "int8": 1e-1, "int4": 3e-1}
"""Largest allowed difference of logits by precision, relative to their spread around the mean of a row.

A head that is scaled by sqrt(hidden size), an epsilon or a position that is one off, or a missing bias gives many times
as much. llama.cpp's GELU in the tanh form lies within that of its 8 bits.
"""

Logits = npt.NDArray[np.float32]


class Checked(NamedTuple):
    """Result of a contender's same-model check.

    Attributes:
        contender: the contender, with the memory that it really took.
        status: "measured" where it runs the same model, otherwise "failed" or "unsupported".
        reason: why it is not measured; None where it is.
        proof: the differences; empty where there are no logits.
        versions: the versions of its packages, by name.
    """

    contender: Contender
    status: str
    reason: str | None
    proof: Mapping[str, Any]
    versions: Mapping[str, str]


class ReferenceLogits:
    """Our float32 logits of one prompt, which contenders' logits are compared with."""

    def __init__(self, reference: Contender, cores: Sequence[int], logs: Path) -> None:
        self._cores, self._logs = cores, logs
        self._ids = random_prompts(1, PROMPT_TOKENS, reference.vocab_size)[0]
        with self._process(reference) as process:
            self._logits = logits_of(process, self._ids)

    def check(self, contender: Contender, tolerance: float | None = None) -> Checked:
        """Starts a contender and compares its logits.

        Args:
            contender: the contender.
            tolerance: how far its logits may be off; by default that of its precision.
        """
        try:
            with self._process(contender) as process:
                versions = process.hello.get("versions", {})
                theirs = logits_of(process, self._ids)
                memory = process.ask({"memory": {}})
        except ContenderError as error:
            return Checked(contender, "failed", str(error), {}, {})
        contender = dataclasses.replace(contender, resident_bytes=memory["peak_resident_bytes"])
        proof, reason = compare(theirs, self._logits[-len(theirs) :], contender.precision, tolerance)
        return Checked(contender, "failed" if reason else "measured", reason, proof, versions)

    def _process(self, contender: Contender) -> PinnedProcess:
        command = contender.command(len(self._cores))
        return PinnedProcess(command, self._cores, self._logs / "proof.log", contender.environment)


def logits_of(process: PinnedProcess, ids: Sequence[int]) -> Logits:
    """Returns the logits of the last positions, as many as the contender gives: [rows, vocabulary].

    Raises:
        ContenderError: it gives none.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits.npy"
        answer = process.ask({"logits": {"ids": list(ids), "file": str(path)}})
        if "unsupported" in answer:
            raise ContenderError(f"it gives no logits, so nothing shows what it runs: {answer['unsupported']}")
        logits: Logits = np.load(path, allow_pickle=False)
    if logits.ndim != 2 or len(logits) != answer["rows"]:  # noqa: PLR2004 -- rows and vocabulary
        raise ContenderError(f"its logits have the shape {logits.shape}, it said {answer['rows']} rows")
    return logits


def compare(
    theirs: Logits, ours: Logits, precision: str, tolerance: float | None = None
) -> tuple[dict[str, Any], str | None]:
    """Compares logits, both [rows, vocabulary].

    Args:
        theirs: the contender's.
        ours: in float32.
        precision: the contender's, which decides how far off its logits may be.
        tolerance: how far off they may be instead.

    Returns:
        The differences, and why they are not those of the same model; None if they are.
    """
    if theirs.shape != ours.shape:
        return {}, f"its logits have the shape {theirs.shape}, ours {ours.shape}: it runs another model"
    if not np.isfinite(theirs).all():
        return {}, "its logits are no numbers"
    # A constant added to a row changes no probability.
    first, second = (logits - logits.mean(axis=1, keepdims=True) for logits in (theirs, ours))
    tolerance = tolerance or TOLERANCES[precision]
    proof = {
        "relative_difference": float(np.linalg.norm(first - second) / np.linalg.norm(second)),
        "largest_difference": float(np.abs(first - second).max()),
        "tolerance": tolerance,
        "same_top_1": float((theirs.argmax(axis=1) == ours.argmax(axis=1)).mean()),
        "positions": len(theirs),
    }
    if proof["relative_difference"] <= tolerance:
        return proof, None
    return proof, (
        f"its logits differ from ours by {proof['relative_difference']:.2g} of their spread, in {precision} "
        f"{tolerance:g} is allowed: it does not run the same model"
    )
