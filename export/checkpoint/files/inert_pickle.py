"""Inert stand-ins for the classes that a pickle names: none of its code runs, and no class need be installed.

fairseq's checkpoints hold configuration and training state as objects of fairseq, omegaconf, hydra, numpy and others.
torch's `weights_only` unpickler builds only allowed classes, and here it is allowed the stand-ins, which keep their
arguments and do nothing. torch refuses every class that is neither its own nor a stand-in.
"""

import pickletools
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from biogpt_onnx.export.checkpoint.validate import printable
from biogpt_onnx.runtime.errors import CheckpointError

_HARMLESS_PACKAGES = frozenset(
    {
        *("argparse", "collections", "datetime", "enum", "pathlib", "typing"),
        *("fairseq", "fairseq_cli", "hydra", "numpy", "omegaconf"),
        *("accelerate", "lightning", "lightning_fabric", "pytorch_lightning", "transformers"),
        "src",  # the package of BioGPT's plug-in for fairseq
    }
)
_PLUG_IN_PREFIX = "fairseq_user_dir"  # fairseq's name for a plug-in whose folder's name is taken
# Not bytearray, which torch calls: of a number, it takes so many bytes of memory.
_HARMLESS_BUILTINS = frozenset(
    {
        *("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range"),
        *("set", "slice", "str", "tuple"),
        "getattr",  # of an enumeration and a name: early Pythons 3.11 write a member of one so
    }
)
# Pickles of protocol 2, which torch writes, have Python 2's names.
_PYTHON_2_BUILTINS = {"long": "int", "unicode": "str", "xrange": "range"}
# Containers that unpickling fills item by item, which torch allows for the plain types alone.
_PLAIN_CONTAINERS: dict[tuple[str, str], type] = {
    ("collections", "defaultdict"): dict,
    ("collections", "deque"): list,
    ("lightning.fabric.utilities.data", "AttributeDict"): dict,
    ("lightning_fabric.utilities.data", "AttributeDict"): dict,
    ("lightning.pytorch.utilities.parsing", "AttributeDict"): dict,
    ("pytorch_lightning.utilities.parsing", "AttributeDict"): dict,
}
# Modules whose classes are models: a file that names one holds a model itself, not its weights.
_MODEL_MODULES = re.compile(r"torch\.nn\.modules\..+|transformers\.models\..+\.modeling_\w+|peft\.peft_model")
PICKLED_MODULE = (
    "is a pickled model, not its weights: nothing in it was run; save its weights instead "
    "(model.save_pretrained(FOLDER), or torch.save(model.state_dict(), FILE))"
)
# Files of torch before 1.6 are five pickles in a row: a number, a version, the machine, the content, the storages'
# keys.
_NUM_LEGACY_PICKLES = 5
# Of a name that torch is asked about: its search for a hint takes minutes for one of 1 MB.
_LONGEST_NAME = 500
# Of the structure without the weights, which has under 1 MB in a fairseq checkpoint of BioGPT-Large.
_MAX_PICKLE_BYTES = 256 * 1024 * 1024


class Inert:
    """Stand-in for an object of a class that a pickle names.

    Attributes:
        arguments: arguments that the object was made with.
        state: state that was set after that; None where there is none.
    """

    arguments: tuple[object, ...] = ()
    state: object = None

    def __new__(cls, *arguments: object) -> Any:  # noqa: ANN401 -- a container's stand-in makes a plain container
        """Keeps the arguments."""
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __setstate__(self, state: object) -> None:
        """Keeps the state, instead of setting attributes as unpickling does by default."""
        self.state = state


def stand_ins(path: Path) -> Sequence[type[Inert]]:
    """Makes a stand-in for each harmless class that a torch file names.

    Raises:
        CheckpointError: the file is malformed, or names a class or function that no checkpoint needs.
    """
    named = _named_globals(path)
    if any(_MODEL_MODULES.fullmatch(module) for module, _ in named):
        raise CheckpointError(f"{path.name} {PICKLED_MODULE}")
    refused = sorted(f"{module}.{name}" for module, name in named if not _is_tolerated(module, name))
    if refused:
        raise CheckpointError(
            f"{path.name} names {printable(refused[0])}, which has no place among weights ({len(refused)} such names): "
            "nothing in it was run; do not load it with tools that would"
        )
    return [_stand_in(module, name) for module, name in sorted(named) if _is_harmless(module, name)]


def _is_tolerated(module: str, name: str) -> bool:
    if len(module) + len(name) > _LONGEST_NAME:
        return False
    # torch itself judges its names, and refuses most of them.
    return module.partition(".")[0] == "torch" or (module, name) == ("_codecs", "encode") or _is_harmless(module, name)


def _is_harmless(module: str, name: str) -> bool:
    if not name.isidentifier():
        # No class can be made of it.
        return False
    if module == "builtins":
        return name in _HARMLESS_BUILTINS
    package = module.partition(".")[0]
    return package in _HARMLESS_PACKAGES or package.startswith(_PLUG_IN_PREFIX)


def _stand_in(module: str, name: str) -> type[Inert]:
    # The unpickler knows a class by its module and name, and prefers its own class of that name where it has one.
    content: dict[str, object] = {"__module__": module}
    container = _PLAIN_CONTAINERS.get((module, name))
    if container is not None:
        content["__new__"] = lambda _, *_arguments: container()
    return type(name, (Inert,), content)


def _named_globals(path: Path) -> set[tuple[str, str]]:
    try:
        if zipfile.is_zipfile(path):
            return _globals_in_zip(path)
        with path.open("rb") as file:
            return set().union(*(_globals_in_pickle(path.name, file) for _ in range(_NUM_LEGACY_PICKLES)))
    except CheckpointError:
        raise
    except Exception as error:  # pickletools and zipfile raise many types on broken files
        raise CheckpointError(f"{path.name} is truncated or no torch file: fetch it again") from error


def _globals_in_zip(path: Path) -> set[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("/data.pkl"))
        if member.compress_type != zipfile.ZIP_STORED:
            # It may be a thousand times as large as the file, and torch.save never compresses.
            raise CheckpointError(f"{path.name} has a compressed structure, which torch.save does not write")
        if member.file_size > _MAX_PICKLE_BYTES:
            raise CheckpointError(f"{path.name} claims a structure of {member.file_size:,} bytes, which no model has")
        with archive.open(member) as file:
            return _globals_in_pickle(path.name, file)


def _globals_in_pickle(file_name: str, file: IO[bytes]) -> set[tuple[str, str]]:
    """Returns the modules and names that a pickle refers to, as Python 3 names them, without running any of it."""
    named = set()
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            if module == "__builtin__":
                module, name = "builtins", _PYTHON_2_BUILTINS.get(name, name)
            named.add((module, name))
        elif opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"):
            raise CheckpointError(
                f"{file_name} holds a pickle that torch.save does not write by itself ({opcode.name}): save it again "
                "with torch's defaults"
            )
    return named
