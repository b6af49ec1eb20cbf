"""The tasks that a server offers: the built-in ones that its bundle can do, and those that it was given."""

import os
from collections.abc import Iterator, Mapping, Sequence

from biogpt_onnx.runtime.bundle import Manifest
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.bundle_check import check_bundle
from biogpt_onnx.tasks.registry import TASK_SPECS, task_spec
from biogpt_onnx.tasks.spec import TaskSpec


def offered_tasks(
    manifest: Manifest, given: Sequence[str | os.PathLike[str] | TaskSpec] = ()
) -> Mapping[str, TaskSpec]:
    """Returns the tasks that a server of a bundle offers, by name.

    A bundle that records its task does that one. Any other does all those that are trained with as many rows of soft
    prompt as it has.

    Args:
        manifest: the bundle's manifest.
        given: further tasks, as names, paths of TOML files, or specifications. One with the name of a built-in task
            takes its place.

    Raises:
        ConfigError: the bundle cannot generate, or is for another task than one that is given; or a given task is
            unknown, malformed, or has the name of another one.
        OSError: a file cannot be read.
    """
    if manifest.head is not None:
        command = "classify" if manifest.head.kind == "sequence-classification" else "tag"
        raise ConfigError(
            f"the bundle has a {manifest.head.kind} head and generates no text, which is what is served: use the "
            f"command {command}, or another bundle"
        )
    own: dict[str, TaskSpec] = {}
    for spec in map(task_spec, given):
        if spec.name in own:
            raise ConfigError(f"two of the given tasks have the name {spec.name}: give one of them another name")
        check_bundle(manifest, spec.name, spec.task.soft_prompt_size)
        own[spec.name] = spec
    return dict(_built_in(manifest)) | own


def _built_in(manifest: Manifest) -> Iterator[tuple[str, TaskSpec]]:
    for name, spec in TASK_SPECS.items():
        if _can_do(manifest, spec):
            yield name, spec


def _can_do(manifest: Manifest, spec: TaskSpec) -> bool:
    try:
        check_bundle(manifest, spec.name, spec.task.soft_prompt_size)
    except ConfigError:
        return False
    return True
