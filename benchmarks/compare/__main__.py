"""Ours beside what people would use instead, on the same weights: `python benchmarks/compare.py --output FILE`.

Makes every model, has each peer prove that it runs the same one, measures all in turns, then quality, and writes rows,
report and pictures. What is in the output file already is not measured again. Peers need `make bench-peers`.
"""

import argparse
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biogpt_onnx.bench.contender import Contender
from biogpt_onnx.bench.machine import usable_cores
from biogpt_onnx.bench.outputs import Outputs
from biogpt_onnx.bench.process import ContenderError
from biogpt_onnx.bench.rounds import Settings
from biogpt_onnx.bench.rows import RowFile, check_versions, open_rows
from biogpt_onnx.bench.runner import Plan, run
from biogpt_onnx.bench.scenarios import select
from biogpt_onnx.runtime.errors import BioGptError, ConfigError
from entrants import described_peer, our_contender, peer_contender
from machine import describe
from made_models import BIOGPT, FLOAT32, OURS, OUTLIERS, PLAIN, ROOT, MadeModels, PreparationError, open_models
from peer_quality import QualityOf, Texts, is_quantized, read_texts
from peers.catalogue import PEERS, Peer, unavailable
from proof import Proven, ReferenceLogits

_DISK_BYTES = 14_000_000_000
_BAD_INPUT = 2


def main() -> int:
    """Runs the comparison: 2 where something is wrong with what was asked for."""
    options = _parser().parse_args()
    try:
        _compare(options)
    except (BioGptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the rows, as JSON lines")
    parser.add_argument("--report", type=Path, metavar="FILE", help="the Markdown report")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="the pictures")
    parser.add_argument("--scenario", nargs="+", default=[], metavar="NAME", help="scenarios and suites")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="of the catalogue's peers these alone")
    parser.add_argument("--recipes", nargs="+", default=list(OURS), metavar="NAME", help="of our bundles these alone")
    parser.add_argument("--everyone", action="store_true", help="measure all contenders in every scenario")
    parser.add_argument("--no-quality", action="store_true", help="leave quality out")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="a folder with bc5cdr/valid.json, to measure quality on"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", metavar="DIR", help="keeps the models")
    parser.add_argument("--mini", type=Path, default=ROOT / "checkpoints" / "mini", help="the embedded checkpoint")
    parser.add_argument("--preset", default="preset:biogpt", help="the weights to measure with")
    parser.add_argument("--min-runs", type=int, default=Settings.min_runs)
    parser.add_argument("--min-seconds", type=float, default=Settings.min_seconds)
    parser.add_argument("--restart", action="store_true", help="give up what the output file holds")
    return parser


def _compare(options: argparse.Namespace) -> None:
    scenarios = select(options.scenario)
    settings = Settings(options.min_runs, options.min_seconds)
    outputs = Outputs(options.report, options.plots)
    recipes, peers = _chosen("recipes", options.recipes, OURS), _chosen_peers(options.peers)
    texts = read_texts(options.data)
    outputs.check()
    Plan((), tuple(scenarios), (), settings).check()
    machine = describe()
    # Refused before anything is made: whatever needs no contender to be known.
    open_rows(options.output, machine, {}, dataclasses.asdict(settings), restart=options.restart)
    models = open_models(_work_folder(options.work), options.mini, options.preset)
    ours = [our_contender(models, BIOGPT, recipe, in_full=options.everyone) for recipe in recipes]
    theirs = dict(_prepared(models, peers, in_full=options.everyone))
    contenders = [*ours, *(each for each in theirs.values() if isinstance(each, Contender))]
    digests = {contender.name: contender.digest for contender in contenders}
    rows = open_rows(options.output, machine, digests, dataclasses.asdict(settings), restart=options.restart)
    with tempfile.TemporaryDirectory() as logs:
        comparison = _Comparison(models, rows, machine, settings, Path(logs))
        for name, reason in theirs.items():
            if isinstance(reason, str):
                comparison.add("proof", _peer(name), "proof", status="unavailable", reason=reason)
        proven = comparison.prove(contenders)
        plan = Plan(tuple(proven), tuple(scenarios), (), settings)
        plan.check()
        run(plan, rows, machine, progress=_progress)
        if not options.no_quality:
            names = {contender.name for contender in proven}
            comparison.measure_quality(recipes, [peer for peer in peers if peer.name in names], texts)
    outputs.write(rows.rows)


class _Comparison:
    """What goes into the rows beside speed."""

    def __init__(
        self, models: MadeModels, rows: RowFile, machine: Mapping[str, Any], settings: Settings, logs: Path
    ) -> None:
        self._models, self._rows, self._machine, self._settings = models, rows, machine, settings
        self._logs, self._cores = logs, usable_cores()

    def prove(self, contenders: Sequence[Contender]) -> list[Contender]:
        """Has every contender show that it runs the same model; those that do, with the memory that they took."""
        tolerances = {peer.name: peer.tolerance for peer in PEERS}
        reference = our_contender(self._models, BIOGPT, FLOAT32)
        logits = ReferenceLogits(reference, self._cores, self._logs)
        proven = []
        for contender in contenders:
            print(f"proof: {contender.name}", flush=True)
            found: Proven = logits.prove(contender, tolerances.get(contender.name))
            if found.versions:
                check_versions(self._rows.rows, contender.name, found.versions)
            more = {"proof": found.proof, "versions": found.versions}
            self.add("proof", contender, "proof", status=found.status, reason=found.reason, more=more)
            if found.status == "measured":
                proven.append(found.contender)
        return proven

    def measure_quality(self, recipes: Sequence[str], peers: Sequence[Peer], texts: Texts) -> None:
        """Measures each quantized variant on the embedded checkpoint and its twin."""
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
    """Each peer's name with its contender, or with the reason why there is none."""
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


if __name__ == "__main__":
    sys.exit(main())
