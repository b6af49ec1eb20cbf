import importlib.util
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from makers.faults import Merged, Scene
from makers.ray_cluster import Cluster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    is_missing = importlib.util.find_spec("ray") is None
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.ray)
            if is_missing:
                item.add_marker(pytest.mark.skip(reason="Ray is not installed: see `make test-ray`"))


@pytest.fixture
def scene(run: Path, mini_bundle: Path, expected: bytes, merged: Merged) -> Scene:
    return Scene(run, mini_bundle, expected, merged)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name, value in {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PYTHONPATH": "",
    }.items():
        monkeypatch.setenv(name, value)
    hook = tmp_path / "hook"
    hook.mkdir()
    made = Cluster(hook)
    yield made
    made.close()
