"""The measurement of drafts: what is counted, in which order, and what the ratio says."""

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biogpt_onnx.runtime.backends.cpu.backend import CpuBackend
from biogpt_onnx.runtime.backends.cpu.session import DecoderSession
from biogpt_onnx.runtime.bundle import read_manifest
from biogpt_onnx.runtime.decoding.prefix import Prefix
from makers.contenders import Scripts

ROOT = Path(__file__).parents[2]
DRAFTED = 10

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="runs in the checkout only")


class FakeDecoder:
    """Decodes in so many seconds, the first time of all in ten times as many, as on cold memory."""

    def __init__(self, plain: float = 1.0, drafted: float = 1.0, noise: float = 0.0) -> None:
        self._seconds, self._noise = {0: plain, DRAFTED: drafted}, noise
        self._random = np.random.default_rng(1)
        self.ways: list[int] = []

    def __call__(self, draft_tokens: int) -> Any:
        self.ways.append(draft_tokens)
        factor = 10.0 if len(self.ways) == 1 else 1.0 + self._noise * self._random.standard_normal()
        return FakeDecoded(self._seconds[draft_tokens] * factor, 3 if draft_tokens else 4)


class FakeDecoded:
    def __init__(self, seconds: float, passes: int) -> None:
        self.seconds, self.passes = seconds, passes


def measured(benchmarks: Scripts, *decoders: FakeDecoder, seed: int = 0) -> dict[str, Any]:
    texts, drafts = benchmarks("micro.search.draft_texts"), benchmarks("micro.search.drafts")
    examples = [texts.Example((2, number), (5, 6, 7, 8)) for number in range(len(decoders))]
    found: dict[str, Any] = drafts.measure_kind(
        examples, lambda example: decoders[example.prompt[1]], np.random.default_rng(seed)
    )
    return found


def test_a_first_run_on_cold_memory_makes_no_gain(benchmarks: Scripts) -> None:
    found = measured(benchmarks, FakeDecoder(), FakeDecoder(), FakeDecoder())
    assert found["seconds_to_plain"] == 1.0
    assert found["seconds_to_plain_interval"] == (1.0, 1.0)
    assert {seconds for row in found["samples"] for way in ("plain", "drafted") for seconds in row[way]} == {1.0}


def test_each_document_has_ten_rounds_of_both_ways_in_random_order(benchmarks: Scripts) -> None:
    decoders = [FakeDecoder(), FakeDecoder()]
    found = measured(benchmarks, *decoders)
    for decoder, row in zip(decoders, found["samples"], strict=True):
        assert [len(row["plain"]), len(row["drafted"]), len(row["first"])] == [10, 10, 10]
        rounds = [sorted(decoder.ways[start : start + 2]) for start in range(0, len(decoder.ways), 2)]
        assert rounds == [[0, DRAFTED]] * 11
        first = [{0: "plain", DRAFTED: "drafted"}[way] for way in decoder.ways[2::2]]
        assert row["first"] == first
    assert {first for row in found["samples"] for first in row["first"]} == {"plain", "drafted"}


def test_the_order_is_the_seeds(benchmarks: Scripts) -> None:
    orders = []
    for seed in (0, 0, 1):
        decoders = [FakeDecoder(), FakeDecoder()]
        measured(benchmarks, *decoders, seed=seed)
        orders.append([decoder.ways for decoder in decoders])
    assert orders[0] == orders[1] != orders[2]


def test_a_gain_is_a_ratio_below_one_with_its_interval(benchmarks: Scripts) -> None:
    found = measured(benchmarks, *(FakeDecoder(drafted=0.5, noise=0.02) for _ in range(4)))
    low, high = found["seconds_to_plain_interval"]
    assert low < found["seconds_to_plain"] < high
    assert 0.48 < low < 0.5 < high < 0.52
    assert (found["new_tokens"], found["passes"], found["passes_to_plain"]) == (16, 12, 0.75)


def test_noise_that_is_no_gain_has_an_interval_about_one(benchmarks: Scripts) -> None:
    low, high = measured(benchmarks, *(FakeDecoder(noise=0.1) for _ in range(5)))["seconds_to_plain_interval"]
    assert low < 1.0 < high


def test_documents_that_disagree_widen_the_interval(benchmarks: Scripts) -> None:
    ratio: Callable[..., Any] = benchmarks("micro.search.paired_ratio").paired_ratio
    alike = np.ones((4, 10, 2))
    apart = alike.copy()
    apart[:2, :, 1], apart[2:, :, 1] = 0.5, 1.5
    assert ratio(alike) == (1.0, (1.0, 1.0))
    value, (low, high) = ratio(apart)
    assert value == 1.0
    assert low < 0.7
    assert high > 1.3
    assert ratio(apart) == ratio(apart)


def test_ten_rounds_by_default_stay_under_twenty_minutes_at_fifty_milliseconds_a_step(benchmarks: Scripts) -> None:
    texts, drafts = benchmarks("micro.search.draft_texts"), benchmarks("micro.search.drafts")
    kinds, ways, step_seconds = 4, 2, 0.05
    tokens = kinds * drafts.DOCUMENTS * texts.LONGEST_TARGET
    assert drafts.ROUNDS == 10
    assert tokens * ways * (drafts.ROUNDS + 1) * step_seconds < 1200


def test_what_is_prescribed_is_generated_in_fewer_passes_where_it_copies_the_prompt(
    benchmarks: Scripts, mini_bundle: Path
) -> None:
    texts, drafts = benchmarks("micro.search.draft_texts"), benchmarks("micro.search.drafts")
    backend = CpuBackend(DecoderSession(mini_bundle, read_manifest(mini_bundle)))
    copied = tuple(range(100, 120))
    example = texts.Example((2, 50, 51, *copied, 60), (50, 51, *copied))
    decode = partial(drafts._decode, backend, Prefix(backend, example.prompt), example)
    assert decode(0).passes == len(example.target)
    assert decode(DRAFTED).passes < len(example.target) / 2
    assert decode(DRAFTED).seconds > 0


def test_text_without_repetition_has_none_and_is_as_long_as_the_others_may_be(
    benchmarks: Scripts, tmp_path: Path
) -> None:
    texts = benchmarks("micro.search.draft_texts")
    kinds = texts.examples_by_kind(tmp_path, None, 3)
    assert list(kinds) == ["no repetition"]
    for example in kinds["no repetition"]:
        ids = (*example.prompt, *example.target)
        assert len(set(ids)) == len(ids)
        assert len(example.target) == texts.LONGEST_TARGET
    assert len({example.prompt for example in kinds["no repetition"]}) == 3


def test_every_kind_of_text_has_as_many_documents_as_are_wanted(
    benchmarks: Scripts, tmp_path: Path, data_folder: Path
) -> None:
    texts = benchmarks("micro.search.draft_texts")
    kinds = texts.examples_by_kind(tmp_path, data_folder, 2)
    assert {name: len(examples) for name, examples in kinds.items()} == dict.fromkeys(
        ("no repetition", "relations", "summaries", "free text"), 2
    )
    assert all(1 < len(each.target) <= texts.LONGEST_TARGET for examples in kinds.values() for each in examples)


def test_too_few_documents_are_said(benchmarks: Scripts, tmp_path: Path, data_folder: Path) -> None:
    texts = benchmarks("micro.search.draft_texts")
    with pytest.raises(RuntimeError, match=r"the data holds \d+ documents for relations, 100 are wanted"):
        texts.examples_by_kind(tmp_path, data_folder, 100)


# The report's table.


@pytest.fixture
def committed() -> dict[str, Any]:
    run: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "search.json").read_text(encoding="utf-8"))
    return run


def without_intervals(run: dict[str, Any]) -> dict[str, Any]:
    run = copy.deepcopy(run)
    for kind in run["drafts"]["kinds"].values():
        kind.pop("seconds_to_plain_interval", None)
    return run


def with_intervals(run: dict[str, Any]) -> dict[str, Any]:
    run = copy.deepcopy(run)
    run["drafts"] |= {"confidence": 0.95, "longest_target": 24, "rounds": 10}
    for kind in run["drafts"]["kinds"].values():
        kind |= {"seconds_to_plain": 0.954, "seconds_to_plain_interval": [0.9, 1.011]}
    return run


def test_the_table_has_the_intervals_of_a_run_that_has_them(benchmarks: Scripts, committed: dict[str, Any]) -> None:
    table = benchmarks("report.tables.search").search_table(with_intervals(committed))
    assert "| drafts, no repetition | 0.95 x the time (0.90 to 1.01) |" in table
    assert "the first 24 tokens of prescribed texts" in table
    assert "the median of 10 runs in random order, in brackets the 95% interval" in table


def test_the_table_of_an_older_run_says_that_nothing_was_warmed_up(
    benchmarks: Scripts, committed: dict[str, Any]
) -> None:
    table = benchmarks("report.tables.search").search_table(without_intervals(committed))
    (line,) = (line for line in table.splitlines() if line.startswith("| drafts, no repetition |"))
    assert " to " not in line
    assert "runs without warming up, which favours drafts." in table
