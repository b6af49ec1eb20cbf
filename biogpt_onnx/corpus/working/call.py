"""A call of `work`: a run and a bundle that fit together, and the tries of the run's units."""

import os
from dataclasses import dataclass
from pathlib import Path

from biogpt_onnx.corpus.run import Run
from biogpt_onnx.corpus.working.tries import Tries
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.bundle.digest import read_expected_manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.bundle_check import check_bundle


@dataclass(frozen=True)
class Call:
    """A call of `work`.

    Attributes:
        run: The run.
        bundle: The folder of the bundle.
        manifest: The bundle's manifest.
        tries: The tries of the run's units.
    """

    run: Run
    bundle: Path
    manifest: Manifest
    tries: Tries


def open_call(
    run: str | os.PathLike[str], bundle: str | os.PathLike[str], tries: int, expect: str | None = None
) -> Call:
    """Opens a run and checks that a bundle is for its task.

    Args:
        run: The folder of the run.
        bundle: The folder of the bundle.
        tries: The number of tries after which a unit is set aside.
        expect: The digest that the bundle must have; None for any.

    Raises:
        BioGptError: The run or the bundle cannot be used.
    """
    opened, bundle = Run.open(run), Path(bundle)
    if type(tries) is not int or tries < 1:
        raise ConfigError(f"tries is {tries!r}: give a whole number of 1 or more")
    if expect is None:
        manifest = read_manifest(bundle)
        check_files(bundle, manifest)
    else:
        manifest, _ = read_expected_manifest(bundle, expect)
    task = opened.task()
    check_bundle(manifest, task.name, task.soft_prompt_size)
    return Call(opened, bundle, manifest, Tries(opened, tries))
