"""The description of the processor, which distinguishes one kind from another."""

import importlib
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.system import kind
from biogpt_onnx.runtime.system.arm_cores import arm_model

CPUINFO = Path("/proc/cpuinfo")

# x86 and Arm under Linux name themselves by different fields.
_MODEL_FIELDS = (
    "vendor_id",
    "cpu family",
    "model",
    "model name",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "cpu",
    "isa",
)
_INSTRUCTION_SET_FIELDS = ("flags", "Features")
_REGISTRY_KEY = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"


def describe_processor(cpuinfo: Path = CPUINFO) -> dict[str, object]:
    """Returns the machine type, the processor's model and, under Linux, its instruction sets.

    If the cores of a machine differ, each distinct value is included. On other systems than Linux the model has to
    stand for the instruction sets.

    Args:
        cpuinfo: file in which Linux lists the cores.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {"machine": platform.machine(), "model": _model_without_cpuinfo(), "instruction_sets": []}
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return {
        "machine": platform.machine(),
        "model": {name: values for name in _MODEL_FIELDS if (values := _values(pairs, [name]))},
        "instruction_sets": sorted(
            {flag for value in _values(pairs, _INSTRUCTION_SET_FIELDS) for flag in value.split()}
        ),
    }


def _values(pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> list[str]:
    return sorted({value for name, value in pairs if name in names})


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Returns the name of the processor, as a person calls it; of an Arm processor those of its cores and its board.

    Args:
        cpuinfo: file in which Linux lists the cores.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _name_without_cpuinfo()
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    named = next((value for name, value in pairs if name == "model name"), "")
    return arm_model(pairs) or named or platform.processor() or platform.machine()


def _name_without_cpuinfo() -> str:
    if kind.is_windows():
        return _name_in_registry() or _model_without_cpuinfo() or platform.machine()
    return _model_without_cpuinfo() or platform.machine()


def _model_without_cpuinfo() -> str:
    if not kind.is_macos():
        return platform.processor()
    # Python knows no more than "arm" or "i386" on macOS.
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        result = subprocess.run(  # noqa: S603 -- fixed
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return platform.processor()
    return result.stdout.strip()


def _name_in_registry() -> str:
    # Python knows the family, model and stepping alone on Windows.
    try:
        winreg: Any = importlib.import_module("winreg")
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _REGISTRY_KEY) as key:
            return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
    except (ImportError, OSError):
        return ""
