"""Names of files that every system takes for a plain file of its folder."""

from pathlib import Path

from biogpt_onnx.runtime.system import kind

_OF_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{digit}" for device in ("com", "lpt") for digit in "123456789\u00b9\u00b2\u00b3"}
)
# Separators; Windows' drives and streams; its patterns and quotes.
_RESERVED = frozenset('/\\:<>"|?*')


def problem_of_name(name: str) -> str | None:
    """Returns why a name is not that of a plain file on every system; None for one that is.

    Windows takes `C:x` for a file of another drive, `x:y` for a part of the file x, `nul.txt` for a device, and `x.`
    and `x ` for x. Names in what others have made are held to this everywhere, so that a bundle is refused by every
    system or by none.

    Args:
        name: name of a file without any folder.
    """
    if name in {"", ".", ".."}:
        return "it names no file"
    if any(character in _RESERVED or ord(character) < ord(" ") for character in name):
        return "it has characters that lead out of its folder, or that Windows reserves"
    if name[-1] in ". ":
        return "it ends with a dot or a space, which Windows leaves out"
    if name.partition(".")[0].rstrip(" ").lower() in _OF_DEVICES:
        return "it is the name of a device on Windows"
    return None


def problem_of_output(path: Path) -> str | None:
    """Returns why a file or folder of a name cannot be made on this system; None if it can.

    POSIX systems take all names. On Windows, `out.jsonl:x` would be written into a part of another file, and
    `nul.jsonl` nowhere.

    Args:
        path: file or folder that a user has named to write to.
    """
    return problem_of_name(path.name) if kind.is_windows() and path.name else None
