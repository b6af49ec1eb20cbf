"""The estimate is the formula, and each of its factors is what it is said to be."""

import json
from pathlib import Path

import pytest

from biogpt_onnx import ConfigError, corpus
from biogpt_onnx.cli import main
from biogpt_onnx.corpus import Factor
from biogpt_onnx.corpus.results import publish_result, record_of_row
from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.units import read_unit
from biogpt_onnx.corpus.working import measuring
from biogpt_onnx.runtime.errors import DocumentError
from biogpt_onnx.tasks.results import Relations


def answer(run: Path, *, units: int, seconds: float, errors: int = 0) -> None:
    """Results of some units that took a number of seconds each; the first documents of each have errors."""
    opened = Run.open(run)
    for unit in opened.units[:units]:
        result = Relations((), (), "", 0, complete=True)
        rows = read_unit(opened, unit)
        records = [
            record_of_row(opened, row, DocumentError("x") if place < errors else result)
            for place, row in enumerate(rows)
        ]
        publish_result(opened, unit, "bundle", seconds, records)


def test_the_hours_are_those_of_the_formula() -> None:
    found = corpus.estimate(documents=1000, with_text=0.5, speed=10, workers=4, full_node=0.8, efficiency=0.9)
    assert found.hours == pytest.approx(1000 * 0.5 / (60 * 10 * 4 * 0.8 * 0.9))
    assert found.worker_hours == pytest.approx(4 * found.hours)
    assert {factor["origin"] for factor in found.to_dict()["factors"].values()} == {"given"}


def test_what_is_not_known_is_assumed_and_said_to_be() -> None:
    found = corpus.estimate(speed=138)
    assert found.documents == Factor(37_000_000, "assumed")
    assert found.speed == Factor(138, "given")
    assert round(found.worker_hours) == 4469


def test_a_run_gives_what_is_left_and_the_speed_of_what_is_done(run: Path) -> None:
    answer(run, units=2, seconds=30, errors=1)
    opened = Run.open(run)
    done = sum(unit.documents for unit in opened.units[:2])
    found = corpus.estimate(run)
    assert found.documents == Factor(24 - done, "of the run")
    assert found.with_text == Factor(1 - 2 / done, "of its results")
    # Two units of half a minute.
    assert found.speed == Factor(done - 2, "of its results")
    assert found.full_node == Factor(1.0, "within d")
    everything = corpus.estimate(run, documents=37_000_000, workers=100)
    assert everything.hours == pytest.approx(37_000_000 * (1 - 2 / done) / (60 * (done - 2) * 100))
    # A speed of one's own is one of a worker alone, of which a full machine may leave less.
    assert corpus.estimate(run, speed=5).full_node.origin == "assumed"


def test_a_bundle_is_measured_alone_and_together_and_the_run_stays_as_it_is(
    run: Path, mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(run.rglob("*"))
    words = ["--sample", "12", "--node-workers", "2", "--threads", "1", "--json"]
    assert main(["corpus", "estimate", str(run), str(mini_bundle), *words]) == 0
    captured = capsys.readouterr()
    factors = json.loads(captured.out)["factors"]
    assert {factors[name]["origin"] for name in ("with_text", "speed", "full_node")} == {"measured"}
    assert 0 < factors["full_node"]["value"] <= 1
    assert factors["speed"]["value"] > 0
    assert captured.err == (
        "note: measuring one worker of 1 threads alone on 12 documents\n"
        "note: measuring 2 workers together on 12 documents\n"
    )
    assert sorted(run.rglob("*")) == before


def test_the_documents_that_are_measured_come_from_all_parts_of_a_run(run: Path, tmp_path: Path) -> None:
    opened = Run.open(run)
    for number, units in ((3, 3), (6, 6), (24, 6), (1000, 6)):
        sample = Run.open(measuring._sample(opened, tmp_path / str(number), number, 1))
        rows = [row for unit in sample.units for row in read_unit(sample, unit)]
        assert len(rows) == min(number, 24)
        numbers = [row.number for row in rows]
        assert numbers == sorted(numbers)
        ends, found = 0, set()
        for unit in opened.units:
            found |= {unit.number for each in numbers if ends < each <= ends + unit.documents}
            ends += unit.documents
        assert len(found) == units


def test_the_output_names_each_factor(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(run, units=6, seconds=60)
    assert main(["corpus", "estimate", str(run), "--documents", "1200", "--workers", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "D, documents: 1,200 (given)",
        "a, share with a text: 0.958 (of its results)",
        "d, documents a minute of one worker alone: 3.83 (of its results)",
        "W, workers: 2 (given)",
        "c, share of the speed on a full machine: 1 (within d)",
        "E, share of the time in which workers are busy: 1 (assumed)",
        "hours = D a / (60 d W c E) = 2.5, 5.0 hours of workers",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the speed is not known: give it, or a run with results, or a run and a bundle to measure"),
        (["RUN"], "the speed is not known, as RUN has no results yet: give it, or a bundle"),
        (["--speed", "0"], "speed is 0.0: give a number of documents a minute above 0"),
        (["--speed", "nan"], "speed is nan"),
        (["--speed", "1", "--efficiency", "1.5"], "efficiency is 1.5: give a share above 0 and up to 1"),
        (["--speed", "1", "--workers", "0"], "workers is 0: give a whole number of 1 or more"),
        (["--speed", "1", "--documents", "-1"], "documents is -1: give a whole number of 0 or more"),
        (["RUN", "BUNDLE", "--sample", "0"], "sample_documents is 0"),
        (["RUN", "BUNDLE", "--node-workers", "0"], "workers is 0"),
        (["missing"], "there is no folder missing"),
    ],
)
def test_factors_that_there_cannot_be(
    run: Path, mini_bundle: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    names = {"RUN": str(run), "BUNDLE": str(mini_bundle)}
    assert main(["corpus", "estimate", *(names.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {message.replace('RUN', str(run))}")
    assert len(said.splitlines()) == 1


def test_a_bundle_is_measured_on_a_run_only(mini_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="a bundle is measured on the documents of a run"):
        corpus.estimate(None, mini_bundle)
