"""All checks of one recipe's bundle on a device, each of which fails by itself."""

from pathlib import Path

from benchmarks.gpu.checks.answers import ANSWER_CHECKS
from benchmarks.gpu.checks.states import STATE_CHECKS
from benchmarks.gpu.checks.subject import Subject
from benchmarks.gpu.parts import Clock, Found, attempt
from biogpt_onnx.runtime.backends.cuda.session import Accelerator


def run_checks(  # noqa: PLR0913 -- which bundle, where, how long
    found: Found, made: Path, recipe: str, accelerator: Accelerator, clock: Clock, *, dry: bool
) -> None:
    """Checks the embedded checkpoint's bundle.

    Args:
        found: takes each check, `{"passed": bool, ...}`, and whether all passed. One that could not be made for want of
            something that is not installed has null for that, and does not count.
        made: the folder with the bundles "fp32" and the recipe's.
        recipe: "fp16" or "bf16".
        accelerator: the device.
        clock: the time that is left of the run.
        dry: whether the device is a stand-in.
    """
    found["passed"] = False
    checks = found["checks"] = {}
    subject = Subject.open(made, recipe, accelerator, clock, dry=dry)
    for name, check in {**STATE_CHECKS, **ANSWER_CHECKS}.items():
        clock.check()
        checks[name] = {"passed": False} | attempt(lambda check=check: check(subject))  # type: ignore[misc]
        print(f"  {recipe}, {name}: {_word(checks[name])}", flush=True)
    found["passed"] = all(one["passed"] is not False for one in checks.values())


def _word(check: Found) -> str:
    if "error" in check:
        return f"{check['error']['type']}: {check['error']['message']}"
    return {True: "passed", False: "FAILED", None: "not checked"}[check["passed"]]
