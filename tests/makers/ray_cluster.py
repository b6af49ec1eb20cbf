"""A Ray cluster of this machine, whose nodes come and are lost."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


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

        # Ray notes each such cluster's address in its usual folder, which it does not make.
        Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray").mkdir(parents=True, exist_ok=True)
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
