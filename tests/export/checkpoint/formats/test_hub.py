"""Hub ids, against a hub on loopback; each in a process of its own, for the client reads its settings on import."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
from makers.adapters import write_adapter
from makers.checkpoints import tiny_architecture, write_huggingface
from makers.hub import COMMIT, FakeHub, serve_hub

pytest.importorskip("huggingface_hub")

REPOSITORY = "someone/tiny-biogpt"
PROGRAM = """
import sys
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import CheckpointError
try:
    checkpoint = open_checkpoint(sys.argv[1], revision=sys.argv[2] if len(sys.argv) > 2 else None)
except CheckpointError as error:
    print("error:", error)
else:
    print(checkpoint.source, sum(tensor.read().size for tensor in checkpoint.tensors.values()))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    with serve_hub(REPOSITORY, write_huggingface(tmp_path / "served", tiny_architecture(), num_shards=2)) as served:
        yield served


def answer(hub: FakeHub, tmp_path: Path, *arguments: str, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=own | settings | environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert not result.stderr, "quiet in a pipe"
    return result.stdout.strip()


def num_values() -> int:
    architecture = tiny_architecture()
    hidden, layer = architecture.hidden_size, architecture.intermediate_size
    in_layers = 4 * (hidden * hidden + hidden) + 2 * hidden * layer + layer + hidden + 4 * hidden
    return (311 + 77) * hidden + 3 * in_layers + 2 * hidden


def test_a_whole_checkpoint_arrives_and_nothing_else(hub: FakeHub, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "README.md", "rust_model.ot"):
        (hub.folder / name).write_bytes(b"not needed")
    assert answer(hub, tmp_path, REPOSITORY) == f"hub:{REPOSITORY}@{COMMIT} {num_values()}"
    fetched = {request.rpartition("/")[2] for request in hub.requests if request.startswith("GET /someone")}
    assert "model-00001-of-00002.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "README.md", "rust_model.ot"}


def test_the_hub_is_told_neither_usage_nor_versions(hub: FakeHub, tmp_path: Path) -> None:
    answer(hub, tmp_path, REPOSITORY)
    assert not [request for request in hub.requests if "telemetry" in request]
    assert not [agent for agent in hub.agents if "torch/" in agent or "transformers/" in agent]


def test_pickled_weights_are_fetched_where_there_are_no_others(hub: FakeHub, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for file in hub.folder.iterdir():
        file.unlink()
    write_huggingface(hub.folder, tiny_architecture(), form="bin")
    assert answer(hub, tmp_path, REPOSITORY, COMMIT).startswith(f"hub:{REPOSITORY}@{COMMIT} ")


def test_the_cache_serves_offline(hub: FakeHub, tmp_path: Path) -> None:
    first = answer(hub, tmp_path, REPOSITORY)
    seen = len(hub.requests)
    assert answer(hub, tmp_path, REPOSITORY, HF_HUB_OFFLINE="1") == first
    assert len(hub.requests) == seen


def test_offline_with_an_empty_cache_says_so(hub: FakeHub, tmp_path: Path) -> None:
    message = answer(hub, tmp_path, REPOSITORY, HF_HUB_OFFLINE="1")
    assert "the hub cannot be reached (or HF_HUB_OFFLINE is set)" in message
    assert not hub.requests


def test_a_hub_out_of_reach_says_so(hub: FakeHub, tmp_path: Path) -> None:
    message = answer(hub, tmp_path, REPOSITORY, HF_ENDPOINT="http://127.0.0.1:9")
    assert message.startswith(f"error: {REPOSITORY}: there is no folder {REPOSITORY}")
    assert "\n" not in message


def test_an_unknown_repository_says_so(hub: FakeHub, tmp_path: Path) -> None:
    message = answer(hub, tmp_path, "someone/nothing")
    assert "there is no folder someone/nothing, and the hub has no such repository" in message
    assert "\n" not in message


def test_an_unknown_revision_says_so(hub: FakeHub, tmp_path: Path) -> None:
    assert "no revision 'v9'" in answer(hub, tmp_path, REPOSITORY, "v9")


def test_a_gated_repository_says_so(hub: FakeHub, tmp_path: Path) -> None:
    hub.gated = True
    assert "the repository is gated" in answer(hub, tmp_path, REPOSITORY)


def test_an_incomplete_repository_names_what_is_missing(hub: FakeHub, tmp_path: Path) -> None:
    (hub.folder / "model.safetensors.index.json").unlink()
    assert "no weights: expected model.safetensors" in answer(hub, tmp_path, REPOSITORY)


def test_a_folder_of_that_name_wins_over_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    write_huggingface(tmp_path / REPOSITORY, tiny_architecture())
    assert answer(hub, tmp_path, REPOSITORY).startswith("huggingface:tiny-biogpt")
    assert not hub.requests


@pytest.mark.parametrize(("base", "shown"), [(None, "BASE"), ("microsoft/biogpt", "microsoft/biogpt")])
def test_an_adapter_on_the_hub_is_answered_with_its_base(
    hub: FakeHub, tmp_path: Path, base: str | None, shown: str
) -> None:
    for file in hub.folder.iterdir():
        file.unlink()
    write_adapter(hub.folder, {}, base_model_name_or_path=base)
    message = answer(hub, tmp_path, REPOSITORY)
    assert message.startswith(f"error: {REPOSITORY}: this is an adapter: export {shown} --adapter ")


def test_an_adapter_beside_the_weights_on_the_hub_is_a_question(hub: FakeHub, tmp_path: Path) -> None:
    write_adapter(hub.folder, {})
    message = answer(hub, tmp_path, REPOSITORY)
    assert "an adapter lies beside the weights, which may hold it already" in message
    assert "or --no-adapter to leave it out" in message


def test_without_the_hubs_client_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"a hub id takes huggingface-hub: pip install .biogpt-onnx\[export\]"):
        open_checkpoint(REPOSITORY)


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(28, "No space left on device"), "No space left on device"), (ValueError(), "ValueError")],
)
def test_whatever_else_ends_the_fetching_is_one_line(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub  # noqa: PLC0415 -- an extra

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=f"^{REPOSITORY}: there is no folder .* failed: .*{said}$"):
        open_checkpoint(REPOSITORY)
