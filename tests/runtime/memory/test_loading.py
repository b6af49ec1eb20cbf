"""The check of a bundle before it is loaded, and the bound of its sequences."""

import dataclasses
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import biogpt_onnx
from biogpt_onnx import BioGPT, ConfigError, MemoryLimitError, PromptError
from biogpt_onnx.runtime.bundle import WEIGHTS_FILE, Manifest
from biogpt_onnx.runtime.bundle.digest import digest_of
from biogpt_onnx.runtime.memory import loading
from biogpt_onnx.runtime.memory.formula import STARTED_BYTES, memory_need
from biogpt_onnx.runtime.memory.loading import check_room_for
from biogpt_onnx.runtime.options import LoadOptions
from biogpt_onnx.runtime.system.room import Room

MIB = 2**20
NO_TRUTHS: tuple[object, ...] = ("no", "False", 0, 1, None)
FOLDER = Path("bundles/biogpt")


@pytest.fixture(scope="module")
def large(mini: BioGPT) -> Manifest:
    """A float32 manifest with 1,400 MiB of weights."""
    files = dict(mini.manifest.files)
    files[WEIGHTS_FILE] = dataclasses.replace(files[WEIGHTS_FILE], size=1400 * MIB)
    shape = dataclasses.replace(mini.manifest.architecture, num_layers=24, hidden_size=1024, num_heads=16)
    return dataclasses.replace(mini.manifest, files=files, architecture=shape)


def room(mebibytes: float, slows: int | None = None, swap: int = 0) -> Room:
    free = int(mebibytes * MIB)
    return Room(free, free + swap * MIB, "the control group's limit of 1,024 MiB", slows)


def test_a_bundle_that_does_not_fit_is_refused_with_what_is_needed_what_is_there_and_what_to_do(
    large: Manifest,
) -> None:
    with pytest.raises(MemoryLimitError) as caught:
        check_room_for(FOLDER, large, LoadOptions(), lambda: room(900))
    assert re.fullmatch(
        r"loading bundles/biogpt needs about 1,4\d\d MiB more memory, and 900 MiB are left of the control group's "
        r"limit of 1,024 MiB: quantize it \(int4 is the smallest recipe\), or share its weights \(share_weights=True\),"
        r" or give more memory, or load with check_memory=False \(--no-memory-check\) to try nevertheless",
        str(caught.value),
    )


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (LoadOptions(check_memory=False), room(1)),
        (LoadOptions(), None),
        (LoadOptions(), room(2000)),
        (LoadOptions(prepack=False), room(2000)),
        (LoadOptions(max_positions=100), room(2000)),
    ],
)
def test_nothing_is_said_where_it_fits_or_nobody_asks(
    large: Manifest, options: LoadOptions, found: Room | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_room_for(FOLDER, large, options, lambda: found)


@pytest.mark.parametrize(
    ("options", "found", "warning"),
    [
        (LoadOptions(prepack=False), room(900), r"the mapped weights of 1,400 MiB do not fit in the 900 MiB"),
        (LoadOptions(share_weights=True), room(900), r"mapped weights .* so that every pass reads them from the disk"),
        (LoadOptions(), room(900, swap=1000), r"900 MiB are left .* without swapping, which is slow"),
        (LoadOptions(), room(2000, slows=700 * MIB), r"from 700 MiB on the control group slows the process down"),
        (LoadOptions(max_positions=1000), room(1500), r"a sequence of 1,000 tokens, .*: lower max_positions"),
    ],
)
def test_what_may_work_badly_is_warned_of(large: Manifest, options: LoadOptions, found: Room, warning: str) -> None:
    with pytest.warns(RuntimeWarning, match=warning) as caught:
        check_room_for(FOLDER, large, options, lambda: found)
    assert len(caught) == 1


def test_nothing_is_opened_before_the_error(mini_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.opened_graph.open_session", opened)
    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.opening.check_room_for", refusing)
    with pytest.raises(MemoryLimitError, match=re.escape(f"loading {mini_bundle} needs about")):
        biogpt_onnx.load(mini_bundle, device="cpu", warm_up=False)


def refusing(folder: Path, manifest: Manifest, options: LoadOptions) -> None:
    loading.check_room_for(folder, manifest, options, lambda: room(1))


def test_fewer_positions_bound_prompts_texts_and_the_cache(mini_bundle: Path) -> None:
    with biogpt_onnx.load(mini_bundle, device="cpu", warm_up=False, max_positions=40) as model:
        assert model.manifest.architecture.max_positions == 40
        with pytest.raises(PromptError, match="the model 40 positions"):
            model.generate("aspirin " * 60)
        found = model.generate_ids([[2, 30, 31]], max_new_tokens=100, eos_token_id=None)
        assert len(found[0].token_ids) == 38
        assert model.bundle_digest == digest_of((mini_bundle / "bundle.json").read_bytes())


@pytest.mark.parametrize(("positions", "said"), [(1, "2 or more"), (10**6, "the model has"), (4.5, "2 or more")])
def test_a_bad_number_of_positions_is_refused(mini_bundle: Path, positions: float, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"max_positions is .*{said}"):
        biogpt_onnx.load(mini_bundle, max_positions=positions)  # type: ignore[arg-type]


def test_the_need_grows_with_rows_and_positions_and_shrinks_with_shared_weights(large: Manifest) -> None:
    small = memory_need(large, rows=1, positions=100)
    assert memory_need(large, rows=4, positions=100).cache == 4 * small.cache == 4 * 100 * 196_608
    assert memory_need(large, rows=1, positions=500).total > small.total
    shared = memory_need(large, share_weights=True)
    assert (shared.weights, shared.mapped) == (0, small.weights)
    assert shared.total > STARTED_BYTES


def test_a_table_that_no_head_shares_stays_mapped_and_is_not_counted(large: Manifest) -> None:
    untied = dataclasses.replace(large, architecture=dataclasses.replace(large.architecture, tied_head=False))
    table = 4 * large.architecture.vocab_size * large.architecture.hidden_size
    assert memory_need(large).weights - memory_need(untied).weights == table


def test_shared_weights_are_not_made_where_the_memory_for_it_is_not_there(
    mini_bundle: Path, large: Manifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need = dataclasses.replace(memory_need(large), weights=2**60)
    monkeypatch.setattr("biogpt_onnx.runtime.backends.cpu.prepacked_weights.memory_need", lambda _: need)
    sharing = {"device": "cpu", "warm_up": False, "share_weights": True, "cache_folder": tmp_path / "cache"}
    with pytest.raises(MemoryLimitError, match=r"once for all, needs about .*: make them outside of the limit"):
        biogpt_onnx.load(mini_bundle, **sharing)  # type: ignore[arg-type]
    assert not list((tmp_path / "cache").glob("*/model.onnx"))
    biogpt_onnx.load(mini_bundle, **sharing, check_memory=False).close()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["prepack", "share_weights", "mixed_passes", "huge_pages", "warm_up", "check_memory"])
def test_what_is_neither_true_nor_false_is_refused_and_not_taken_for_true(mini_bundle: Path, name: str) -> None:
    for value in NO_TRUTHS:
        with pytest.raises(ConfigError, match=f"^{name} is .*: give True or False$"):
            biogpt_onnx.load(mini_bundle, **{name: value})  # type: ignore[arg-type] # by name
    LoadOptions(**{name: np.bool_(1)})  # type: ignore[arg-type] # by name
