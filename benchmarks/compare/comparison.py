"""A whole comparison: models, same-model checks, speed in turns, quality, and the rows that all of it becomes."""

import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.compare.contenders import described_peer, our_contender, peer_contender
from benchmarks.compare.models import BIOGPT, OURS, OUTLIERS, PLAIN, MadeModels, PreparationError, open_models
from benchmarks.compare.peers.catalogue import PEERS, Peer, unavailable
from benchmarks.compare.quality import QualityOf, Texts, is_quantized, read_texts
from benchmarks.compare.same_model import Checked, ReferenceLogits
from benchmarks.machine import describe
from benchmarks.model_files import FLOAT32
from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.measuring.interleaving import Settings
from biogpt_onnx.bench.measuring.process import ContenderError
from biogpt_onnx.bench.report.outputs import Outputs, check_rows
from biogpt_onnx.bench.rows import RowFile, check_versions, open_rows
from biogpt_onnx.bench.runner import Plan, run
from biogpt_onnx.bench.scenarios import select
from biogpt_onnx.runtime.errors import ConfigError

_DISK_BYTES = 14_000_000_000


@dataclass(frozen=True)
class ComparisonConfig:
    """Configuration of a comparison: contenders, scenarios, amounts and files.

    Attributes:
        output: the rows, as JSON lines.
        outputs: report and pictures.
        scenarios: names of scenarios and suites; empty for the standard ones.
        peers: names of the catalogue's peers; None for all.
        recipes: names of our bundles.
        everyone: whether all contenders are measured in every scenario.
        quality: whether quality is measured.
        data: a folder with bc5cdr/valid.json, to measure quality on; None for the built-in text.
        work: the folder that keeps the models.
        mini: the embedded checkpoint.
        preset: the weights to measure speed with.
        settings: how much is measured.
        restart: whether what the output file holds is given up.
    """

    output: Path
    outputs: Outputs
    scenarios: Sequence[str]
    peers: Sequence[str] | None
    recipes: Sequence[str]
    everyone: bool
    quality: bool
    data: Path | None
    work: Path
    mini: Path
    preset: str
    settings: Settings
    restart: bool


def compare(config: ComparisonConfig) -> None:
    """Makes all models, checks that each peer runs the same one, measures, and writes rows, report and pictures.

    What the output file holds already is not measured again.

    Raises:
        ConfigError: a name or number that was asked for cannot be had; nothing was made then.
    """
    scenarios, settings = select(config.scenarios), config.settings
    recipes, peers = _chosen("recipes", config.recipes, OURS), _chosen_peers(config.peers)
    texts = read_texts(config.data)
    config.outputs.check()
    Plan((), tuple(scenarios), (), settings).check()
    machine = describe()
    # Refused before anything is made: whatever needs no contender to be known.
    check_rows(open_rows(config.output, machine, {}, dataclasses.asdict(settings), restart=config.restart).rows)
    models = open_models(_work_folder(config.work), config.mini, config.preset)
    ours = [our_contender(models, BIOGPT, recipe, in_full=config.everyone) for recipe in recipes]
    theirs = dict(_prepared(models, peers, in_full=config.everyone))
    contenders = [*ours, *(each for each in theirs.values() if isinstance(each, Contender))]
    digests = {contender.name: contender.digest for contender in contenders}
    rows = open_rows(config.output, machine, digests, dataclasses.asdict(settings), restart=config.restart)
    with tempfile.TemporaryDirectory() as logs:
        comparison = _Comparison(models, rows, machine, Path(logs))
        for name, reason in theirs.items():
            if isinstance(reason, str):
                comparison.add("proof", _peer(name), "proof", status="unavailable", reason=reason)
        checked = comparison.check_models(contenders)
        plan = Plan(tuple(checked), tuple(scenarios), (), settings)
        plan.check()
        run(plan, rows, machine, progress=_progress)
        if config.quality:
            names = {contender.name for contender in checked}
            comparison.measure_quality(recipes, [peer for peer in peers if peer.name in names], texts)
    config.outputs.write(rows.rows)


class _Comparison:
    """The rows that are no measurement of speed: same-model checks and quality."""

    def __init__(self, models: MadeModels, rows: RowFile, machine: Mapping[str, Any], logs: Path) -> None:
        self._models, self._rows, self._machine = models, rows, machine
        self._logs, self._cores = logs, usable_cores()

    def check_models(self, contenders: Sequence[Contender]) -> list[Contender]:
        """Checks that contenders run the same model; returns those that do, with the memory that they took."""
        tolerances = {peer.name: peer.tolerance for peer in PEERS}
        reference = our_contender(self._models, BIOGPT, FLOAT32)
        logits = ReferenceLogits(reference, self._cores, self._logs)
        passed = []
        for contender in contenders:
            print(f"same-model check: {contender.name}", flush=True)
            found: Checked = logits.check(contender, tolerances.get(contender.name))
            if found.versions:
                check_versions(self._rows.rows, contender.name, found.versions)
            more = {"proof": found.proof, "versions": found.versions}
            self.add("proof", contender, "proof", status=found.status, reason=found.reason, more=more)
            if found.status == "measured":
                passed.append(found.contender)
        return passed

    def measure_quality(self, recipes: Sequence[str], peers: Sequence[Peer], texts: Texts) -> None:
        """Measures each quantized variant on the embedded checkpoint and on its twin with outliers."""
        for twin in (PLAIN, OUTLIERS):
            reference = our_contender(self._models, twin, FLOAT32)
            quality = QualityOf(self._models.bundle(twin, FLOAT32), reference, texts, self._cores, self._logs)
            for name, contender in self._quantized(twin, recipes, peers):
                print(f"quality, {twin}: {name}", flush=True)
                if isinstance(contender, str):
                    self.add("quality", _peer(name), twin, status="failed", reason=contender)
                elif not self._rows.holds(("quality", name, twin, len(self._cores))):
                    self._measure_quality(quality, contender, twin)

    def _measure_quality(self, quality: QualityOf, contender: Contender, twin: str) -> None:
        try:
            found = quality.measure(contender)
        except ContenderError as error:
            self.add("quality", contender, twin, status="failed", reason=str(error))
        else:
            self.add("quality", contender, twin, status="measured", more={"quality": found})

    def _quantized(
        self, twin: str, recipes: Sequence[str], peers: Sequence[Peer]
    ) -> Iterator[tuple[str, Contender | str]]:
        for recipe in recipes:
            contender = our_contender(self._models, twin, recipe)
            if is_quantized(contender):
                yield contender.name, contender
        wanted = [peer for peer in peers if is_quantized(described_peer(peer))]
        yield from _prepared(self._models, wanted, twin)

    def add(  # noqa: PLR0913 -- what makes a row
        self,
        kind: str,
        contender: Contender,
        scenario: str,
        *,
        status: str,
        reason: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds a row that is no measurement of speed."""
        self._rows.add(
            {
                "kind": kind,
                "status": status,
                "reason": reason,
                "contender": contender.describe(),
                "scenario": {"name": scenario},
                "threads": len(self._cores),
                "machine": dict(self._machine),
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                **(more or {}),
            }
        )


def _prepared(
    models: MadeModels, peers: Sequence[Peer], model: str = BIOGPT, *, in_full: bool = False
) -> Iterator[tuple[str, Contender | str]]:
    """Yields each peer's name with its contender, or with the reason why there is none."""
    for peer in peers:
        reason = unavailable(peer)
        if reason is None:
            print(f"prepare {model}: {peer.name}", flush=True)
            try:
                yield peer.name, peer_contender(models, model, peer, in_full=in_full)
            except (PreparationError, OSError) as error:
                reason = str(error)
        if reason is not None:
            yield peer.name, reason


def _peer(name: str) -> Contender:
    return described_peer(next(peer for peer in PEERS if peer.name == name))


def _chosen(what: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise ConfigError(f"{what} has {name!r}: choose among {', '.join(known)}")
    return [name for name in known if name in names]


def _chosen_peers(names: Sequence[str] | None) -> list[Peer]:
    chosen = [peer.name for peer in PEERS]
    if names is not None:
        chosen = _chosen("peers", names, chosen)
    return [peer for peer in PEERS if peer.name in chosen]


def _work_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    taken = sum(path.stat().st_size for path in folder.glob("**/*") if path.is_file())
    if free + taken < _DISK_BYTES:
        raise ConfigError(
            f"{folder} has {free / 1e9:.0f} GB free, the models take {_DISK_BYTES / 1e9:.0f} GB: "
            "name another folder with --work"
        )
    return folder


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() or done % 50 == 0 or done == total:
        with suppress(OSError):
            print(f"measured {done} of {total} turns", file=sys.stderr, flush=True)
