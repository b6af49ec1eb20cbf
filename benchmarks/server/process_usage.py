"""Memory, time, threads and open files of a process, from Linux's /proc. Runs in every peer's environment, too."""

import os
from pathlib import Path


def usage(process_id: int | None = None) -> dict[str, float]:
    """Returns what a process uses.

    Args:
        process_id: of the process; this one by default.

    Returns:
        `resident_bytes` (now), `peak_resident_bytes`, `cpu_seconds` (since its start), `threads`, `open_files`.

    Raises:
        OSError: there is no such process.
    """
    folder = Path("/proc") / str(process_id or "self")
    lines = (line.partition(":") for line in (folder / "status").read_text(encoding="utf-8").splitlines())
    status = {name: value.split() for name, _, value in lines}
    # The name in brackets may hold spaces.
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return {
        "resident_bytes": int(status["VmRSS"][0]) * 1024,
        "peak_resident_bytes": int(status["VmHWM"][0]) * 1024,
        "cpu_seconds": (user + system) / os.sysconf("SC_CLK_TCK"),
        "threads": int(status["Threads"][0]),
        "open_files": len(list((folder / "fd").iterdir())),
    }
