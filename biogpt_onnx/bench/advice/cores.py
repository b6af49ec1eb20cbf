"""The cores that a process may use, and the numbers of threads that are worth measuring on them."""

from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.runtime.system.cores import allowed_cores, cpu_quota, num_usable_cores

_ROOT = Path("/")
# Steps read the weights, and often need fewer threads than there are cores.
_SHARES = (4, 2, 1)


@dataclass(frozen=True)
class Cores:
    """The cores that a process may use.

    Attributes:
        usable: number of cores as the system counts them, hyperthreads among them, within the quota.
        physical: number of those that are cores of their own, within the quota.
        quota: time that the process's control groups may compute, in cores; None without a limit.
    """

    usable: int
    physical: int
    quota: float | None = None

    def describe(self) -> str:
        """Describes the cores in words."""
        plural = "" if self.usable == 1 else "s"
        kind = f"{self.usable} core{plural}"
        if self.usable > self.physical:
            kind = f"{self.usable} hyperthreads of {self.physical} core{'' if self.physical == 1 else 's'}"
        quota = "" if self.quota is None else f", by a quota of {self.quota:g} cores"
        return f"{kind} for this process{quota}"


def describe_cores(root: Path = _ROOT) -> Cores:
    """Returns the cores that this process may use.

    Args:
        root: folder in which the system's files lie.
    """
    usable = num_usable_cores(root)
    physical = len({_siblings(root, core) for core in allowed_cores()})
    return Cores(usable, min(usable, physical), cpu_quota(root))


def thread_counts(cores: Cores) -> tuple[int, ...]:
    """Returns the numbers of threads to measure: one, parts of the physical cores, all, and all hyperthreads."""
    parts = {max(1, cores.physical // share) for share in _SHARES}
    return tuple(sorted({1, cores.usable} | parts))


def _siblings(root: Path, core: int) -> str:
    """Returns what hyperthreads of one physical core have in common; the core's own number where that is not known."""
    path = root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return str(core)
