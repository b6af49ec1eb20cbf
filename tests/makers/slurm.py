"""Slurm with a controller and one node on this machine, in namespaces that end with all that runs in them."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from makers.corpora import wait_for

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "unshare", "nsenter", "ip")
_NAMESPACES = ("--net", "--pid", "--mount", "--uts", "--ipc")
_PATIENCE = 180
_ADMINISTRATORS = "/usr/sbin:/sbin"

# The names of machines are resolved only where there is an address beside those of the loopback device. The node looks
# for control groups even if none are used, and finds none in a tmpfs.
_SURROUNDINGS = """
set -e
hostname localhost
ip link set lo up
ip link add slurm0 type veth peer name slurm1
ip address add 10.255.255.1/30 dev slurm0
ip link set slurm0 up
ip link set slurm1 up
mount -t tmpfs none /sys/fs/cgroup
"""

# The first process of a namespace of processes takes all others with it; this one ends when the test closes its input,
# and when the test's process dies.
_DAEMONS = """
slurmctld -D >"$SLURM_FOLDER/slurmctld.log" 2>&1 </dev/null &
slurmd -D >"$SLURM_FOLDER/slurmd.log" 2>&1 </dev/null &
exec cat >/dev/null
"""

# The node claims more than this machine has, so that a script's own options fit: two tasks of 8 cores at a time.
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SlurmdParameters=config_overrides
NodeName=localhost CPUs=16 RealMemory=65536
PartitionName=all Nodes=localhost Default=YES
"""


class Cluster:
    """A cluster that runs.

    Args:
        init: identifier of the first process of its namespaces.
        environment: variables with which its programs run.
    """

    def __init__(self, init: int, environment: Mapping[str, str]) -> None:
        self._init, self._environment = init, environment

    def run(self, *command: object, **variables: str) -> str:
        """Runs a program of Slurm's in the cluster; returns what it printed."""
        entered = ["nsenter", "--target", str(self._init), *_NAMESPACES, "--", *map(str, command)]
        ran = subprocess.run(
            entered, env={**self._environment, **variables}, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def states(self, job: str) -> dict[int, str]:
        """The state and the exit code of each task of an array, such as "COMPLETED 0:0", by its number."""
        found = {}
        for line in self.run("scontrol", "--oneliner", "show", "job", job).splitlines():
            values = dict(word.split("=", 1) for word in line.split() if "=" in word)
            # Tasks that have not begun share a line, whose number is a range.
            if values["ArrayTaskId"].isdigit():
                found[int(values["ArrayTaskId"])] = f"{values['JobState']} {values['ExitCode']}"
        return found

    def wait_for_end(self, job: str) -> dict[int, str]:
        """Waits until all tasks of an array have ended; returns their states."""
        wait_for(lambda: not self.run("squeue", "--noheader", "--jobs", job).strip(), _PATIENCE)
        return self.states(job)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Starts Slurm, with its configuration, state and logs in a folder; skips the test where that cannot be."""
    programs = f"{os.environ['PATH']}:{_ADMINISTRATORS}"
    missing = [name for name in _PROGRAMS if shutil.which(name, path=programs) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    unshare = ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
    environment = {
        **os.environ,
        "PATH": programs,
        "SLURM_CONF": str(folder / "slurm.conf"),
        "SLURM_FOLDER": str(folder),
    }
    tried = subprocess.run([*unshare, _SURROUNDINGS], env=environment, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces can be made here: {tried.stderr.strip()}")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n", encoding="utf-8")
    (folder / "slurm.conf").write_text(_CONFIGURATION.format(folder=folder), encoding="utf-8")
    with subprocess.Popen([*unshare, _SURROUNDINGS + _DAEMONS], env=environment, stdin=subprocess.PIPE) as outside:
        try:
            children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
            wait_for(lambda: children.read_text(encoding="ascii").strip())
            cluster = Cluster(int(children.read_text(encoding="ascii").split()[0]), environment)
            _wait_until_idle(cluster, folder)
            yield cluster
        finally:
            assert outside.stdin is not None
            outside.stdin.close()


def _wait_until_idle(cluster: Cluster, folder: Path) -> None:
    # Clients that find no controller wait for it, so the first one is called when it listens.
    try:
        wait_for((folder / "slurmctld.pid").exists, _PATIENCE)
        wait_for(lambda: cluster.run("sinfo", "--noheader", "--format=%T").strip() == "idle", _PATIENCE)
    except TimeoutError:
        logs = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.log"))]
        pytest.fail("\n".join(logs))
