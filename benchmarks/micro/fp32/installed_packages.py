"""Names of the packages that installing the runtime brings."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def measure(root: Path) -> Mapping[str, object]:
    """Returns the packages that pip would install on a bare machine.

    Args:
        root: the checkout.

    Returns:
        `base` without an extra, `cpu` with the extra of that name.
    """
    return {"base": _packages(str(root)), "cpu": _packages(f"{root}[cpu]")}


def _packages(requirement: str) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    run = subprocess.run([*command, requirement], check=True, capture_output=True, text=True)
    return sorted(str(entry["metadata"]["name"]).lower() for entry in json.loads(run.stdout)["install"])
