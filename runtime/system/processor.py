"""The description of the processor, which distinguishes one kind from another."""

import importlib
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from biogpt_onnx.runtime.system import kind

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

_BOARD = Path("/proc/device-tree/model")

_ARM = "0x41"
# Numbers of Arm's own designs in the register MIDR_EL1, as the reference manual of each gives them: those of single
# boards, phones and servers that run Linux in 64 bits.
_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse N2",
    "0xd4f": "Neoverse V2",
}


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


def arm_model(pairs: Iterable[tuple[str, str]], board: Path = _BOARD) -> str | None:
    """Returns the names of the board and of its kinds of cores; None if these are no cores with numbers of Arm's kind.

    Args:
        pairs: names and values of the fields of all cores, in the order of `/proc/cpuinfo`.
        board: file in which Linux gives the board's name, if it is known.
    """
    names: list[str] = []
    maker = ""
    for name, value in pairs:
        if name == "CPU implementer":
            maker = value
        elif name == "CPU part":
            known = _PARTS.get(value) if maker == _ARM else None
            names.append(known or f"Arm core {value} of maker {maker}")
    if not names:
        return None
    cores = " and ".join(dict.fromkeys(names))
    try:
        model = board.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return cores
    return f"{model}, {cores}" if model else cores
