"""The long commands that are disturbed, on inputs small enough for hundreds of runs."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import CHECKOUT
from biogpt_onnx import corpus
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.exporter import export_bundle
from biogpt_onnx.quantize import quantize_bundle

_OWN_TASK = CHECKOUT / "benchmarks" / "kills" / "severity.toml"
_SENTENCES = (
    "Lithium caused tremor in two of nine patients.",
    "Fatal renal failure was seen after cisplatin.",
    "Cocaine-induced seizures were prevented by diazepam.",
    "Hepatitis followed treatment with isoniazid in a child.",
)
_DOCUMENTS = 12
_UNIT_DOCUMENTS = 3
_RUN = "run"


@dataclass(frozen=True)
class Inputs:
    """What the commands read; none may change it.

    Attributes:
        folder: folder of everything below.
        checkpoint: checkpoint of the embedded model.
    """

    folder: Path
    checkpoint: Path

    @property
    def float32(self) -> Path:
        """The checkpoint as a float32 bundle."""
        return self.folder / "fp32"

    @property
    def small(self) -> Path:
        """The same in 8 bits."""
        return self.folder / "int8"

    @property
    def blocks(self) -> Path:
        """The same by a recipe whose results depend on the batch on processors with AVX-512."""
        return self.folder / "int8-weights"

    @property
    def documents(self) -> Path:
        """Documents as JSON lines."""
        return self.folder / "documents.jsonl"

    @property
    def texts(self) -> Path:
        """Two passages, a line each, to calibrate and evaluate with."""
        return self.folder / "texts.txt"

    @property
    def prepared(self) -> Path:
        """A corpus run that is prepared."""
        return self.folder / "prepared"

    @property
    def answered(self) -> Path:
        """A corpus run that is answered."""
        return self.folder / "answered"


@dataclass(frozen=True)
class Job:
    """A command, and where its output appears.

    Attributes:
        name: name of the job.
        words: returns the command's arguments, for the inputs and the folder to work in.
        outputs: names of what appears in the folder to work in, each at once or not at all.
        printed: name of the file that gets the standard output, which grows line by line; None for none.
        again: arguments with which it is run where its output stands already; None if it cannot be.
        set_up: puts into the folder what stands there before.
        watched: folder, in the one to work in, in which something appears once the work has begun.
        also_whole: arguments of a command whose output counts as whole as well, such as a step on the way.
        finish: arguments of a command that makes the outputs of what the job leaves; None if the job makes them.
    """

    name: str
    words: Callable[[Inputs, Path], list[str]]
    outputs: tuple[str, ...] = ()
    printed: str | None = None
    again: tuple[str, ...] | None = ("--overwrite",)
    set_up: Callable[[Inputs, Path], object] = lambda _inputs, _work: None
    watched: str = ""
    also_whole: Callable[[Inputs, Path], list[str]] | None = None
    finish: Callable[[Inputs, Path], list[str]] | None = None


def make_inputs(folder: Path, checkpoint: Path) -> Inputs:
    """Makes what the commands read, in an empty folder."""
    inputs = Inputs(folder, checkpoint)
    export_bundle(open_checkpoint(checkpoint), inputs.float32)
    quantize_bundle(inputs.float32, inputs.small, "int8", evaluation=False, calibration=_SENTENCES)
    quantize_bundle(inputs.float32, inputs.blocks, "int8-weights", evaluation=False, calibration=_SENTENCES)
    rows = [{"id": f"d{number}", "text": _text(number)} for number in range(_DOCUMENTS)]
    inputs.documents.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    inputs.texts.write_text("".join(f"{sentence}\n" for sentence in _SENTENCES[:2]), encoding="utf-8")
    for run in (inputs.prepared, inputs.answered):
        corpus.prepare([inputs.documents], run, "bc5cdr", unit_documents=_UNIT_DOCUMENTS)
    corpus.work(inputs.answered, inputs.small, workers=1, threads=1)
    return inputs


def _text(number: int) -> str:
    return " ".join(_SENTENCES[(number + step) % len(_SENTENCES)] for step in range(1 + number % 3))


def _quantize(inputs: Inputs, work: Path) -> list[str]:
    texts = ["--calibration", str(inputs.texts), "--text", str(inputs.texts), "--max-perplexity-increase", "1000"]
    return ["quantize", str(inputs.float32), "-o", str(work / "new"), "--recipe", "int4", *texts]


def _rows(
    command: str, *more: str, bundle: Callable[[Inputs], Path] = lambda inputs: inputs.small
) -> Callable[[Inputs, Path], list[str]]:
    def words(inputs: Inputs, work: Path) -> list[str]:
        output = ["-o", str(work / "out.jsonl"), "--batch-size", "2", "--threads", "1"]
        return [command, str(bundle(inputs)), str(inputs.documents), *output, *more]

    return words


def _generate(inputs: Inputs, *more: str) -> list[str]:
    settings = ["--max-new-tokens", "16", "--batch-size", "2", "--threads", "1"]
    return ["generate", str(inputs.small), *(_text(number) for number in range(6)), *settings, *more]


def _work(inputs: Inputs, work: Path) -> list[str]:
    return ["corpus", "work", str(work / _RUN), str(inputs.small), "--workers", "1", "--threads", "1"]


def _merge(_inputs: Inputs, work: Path) -> list[str]:
    return ["corpus", "merge", str(work / _RUN), "-o", str(work / "merged.jsonl")]


def _prepare(inputs: Inputs, work: Path) -> list[str]:
    settings = ["--task", "bc5cdr", "--unit-documents", "1"]
    return ["corpus", "prepare", str(inputs.documents), "-o", str(work / _RUN), *settings]


JOBS: Sequence[Job] = (
    Job("export", lambda inputs, work: ["export", str(inputs.checkpoint), "-o", str(work / "new")], ("new",)),
    Job(
        "export over another bundle",
        lambda inputs, work: ["export", str(inputs.checkpoint), "-o", str(work / "new"), "--overwrite"],
        ("new",),
        again=(),
        set_up=lambda inputs, work: shutil.copytree(inputs.small, work / "new"),
    ),
    Job(
        "quantize",
        _quantize,
        ("new",),
        also_whole=lambda inputs, work: [*_quantize(inputs, work), "--no-evaluation"],
    ),
    Job("generate", lambda inputs, _work: _generate(inputs), printed="printed.txt", again=()),
    Job(
        "generate with shared weights",
        lambda inputs, _work: _generate(inputs, "--share-weights"),
        printed="printed.txt",
        again=(),
        watched="cache",
        set_up=lambda _inputs, work: (work / "cache").mkdir(mode=0o700),
    ),
    Job("relations", _rows("relations", "--task", "bc5cdr"), ("out.jsonl",)),
    Job(
        "relations of a recipe that depends on the batch",
        _rows("relations", "--task", "bc5cdr", bundle=lambda inputs: inputs.blocks),
        ("out.jsonl",),
    ),
    Job("ask", _rows("ask", "--question", "Is it a side effect?"), ("out.jsonl",)),
    Job("classify", _rows("classify", "--task", str(_OWN_TASK)), ("out.jsonl",)),
    Job("corpus prepare", _prepare, (_RUN,), again=None),
    Job(
        "corpus work",
        _work,
        ("merged.jsonl",),
        again=(),
        set_up=lambda inputs, work: shutil.copytree(inputs.prepared, work / _RUN),
        watched=f"{_RUN}/claims",
        finish=_merge,
    ),
    Job(
        "corpus merge",
        _merge,
        ("merged.jsonl",),
        set_up=lambda inputs, work: shutil.copytree(inputs.answered, work / _RUN),
    ),
)
"""All jobs. Each runs the embedded model; its outputs are the same in every run."""
