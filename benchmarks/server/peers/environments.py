"""Makes the environments of the other servers: `python -m benchmarks.server.peers.environments`.

Some are those of the libraries that `benchmarks.compare` measures, see there. `llama-server` is compiled here, which
takes ten minutes and needs CMake and a C++ compiler.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.compare.peers import environments
from benchmarks.compare.peers.catalogue import ENVIRONMENTS
from benchmarks.server.peers.llama_server import build

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"

SHARED = ("openvino", "transformers")
"""Environments that `benchmarks.compare` makes, too: one converts for OpenVINO, one runs transformers."""

_BUILDS = {"llama-server": build}


def main() -> int:
    """Makes the environments of the command line, all without one; returns 1 where one cannot be had."""
    own = sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join((*own, *SHARED))}; default: all")
    parser.add_argument("--folder", type=Path, default=ENVIRONMENTS, metavar="DIR", help="where they belong")
    options = parser.parse_args()
    packages = options.packages or [*own, *SHARED]
    unknown = sorted(set(packages) - {*own, *SHARED})
    if unknown:
        parser.error(f"unknown package {unknown[0]}: choose from {', '.join((*own, *SHARED))}")
    made = [_make(package, options.folder) for package in packages]
    print(f"{sum(made)} of {len(made)} environments are there")
    return 0 if all(made) else 1


def _make(package: str, folder: Path) -> bool:
    if package in SHARED:
        return environments.make(package, environments=folder)
    return environments.make(package, REQUIREMENTS, folder, _BUILDS.get(package))


if __name__ == "__main__":
    sys.exit(main())
