"""Runs tests of the repository on emulated ARM64 processors, all processors at the same time."""

import argparse
import os
import sys
from pathlib import Path

from makers.arm64.emulator import FOLDER, PROCESSORS, emulator
from makers.arm64.errors import UnavailableError

ROOT = Path(__file__).parents[3]
TESTS = tuple(f"tests/{name}" for name in ("runtime", "tasks", "files", "quantize"))

# pytest's cache would be written by all processors at once. Left out are the long tests, which emulate processors
# themselves, and those of the stand-in for CUDA, where no processor makes a difference.
_LEFT_OUT = ("-m", "not long", "--ignore=tests/runtime/backends/cuda")
_OPTIONS = ("-m", "pytest", "-p", "no:cacheprovider", "--quiet", *_LEFT_OUT)


def main() -> int:
    """Returns 0 if all tests pass, or if there is no emulator to be had, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processors", nargs="+", default=PROCESSORS, metavar="NAME")
    parser.add_argument("tests", nargs="*", default=TESTS, help="folders and files of tests, and options of pytest")
    arguments = parser.parse_args()
    try:
        arm64 = emulator()
    except UnavailableError as error:
        sys.stdout.write(f"skipped: {error}\n")
        return 0
    # The tests' own folders must not be those of another processor.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "BIOGPT_DATA") if name in os.environ}
    running = {}
    for processor in arguments.processors:
        folder = FOLDER / "runs" / processor
        folder.mkdir(parents=True, exist_ok=True)
        environment = kept | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
        options = [*_OPTIONS, f"--rootdir={ROOT}", *arguments.tests]
        running[processor] = arm64.run(processor, options, environment=environment, log=folder / "log")
    failed = False
    for processor, process in running.items():
        failed |= process.wait() != 0
        log = (FOLDER / "runs" / processor / "log").read_text(encoding="utf-8", errors="replace")
        sys.stdout.write(f"=== {processor}\n{log}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
