import importlib.util
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from makers.faults import Merged, Scene

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


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


class Cluster:
    """A cluster of this machine whose head has no CPU; all its workers run the code of the hook's folder first.

    Attributes:
        address: its address.
    """

    def __init__(self, hook: Path) -> None:
        # They are read when Ray is imported, and by the processes that it starts.
        self._folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        os.environ["PYTHONPATH"] = f"{hook}{os.pathsep}{ROOT}"
        from ray.cluster_utils import Cluster as RayCluster  # noqa: PLC0415 -- it need not be installed

        self._cluster: Any = RayCluster(
            initialize_head=True,
            shutdown_at_exit=False,
            head_node_args={"num_cpus": 0, "temp_dir": self._folder, "include_dashboard": False},
        )
        self.address = str(self._cluster.address)

    def add_node(self) -> Any:
        """A new node with a CPU."""
        return self._cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)

    def lose(self, node: Any) -> None:
        """Kills all processes of a node."""
        self._cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        """Ends all nodes."""
        self._cluster.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)


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
