"""Names of Arm's cores, which Linux gives by the numbers of their maker and part."""

from collections.abc import Iterable
from pathlib import Path

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
