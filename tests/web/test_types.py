"""The page's scripts as a type checker reads their comments, and their size."""

import json
import subprocess
from pathlib import Path

import pytest

from makers.web import NO_NODE, NO_PACKAGES, NODE, TSC, site_files

MOST_LINES = 800
LONGEST_LINE = 120
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "strict": True,
    "noEmit": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noImplicitReturns": True,
    "noFallthroughCasesInSwitch": True,
    "target": "es2022",
    "module": "es2022",
    "moduleDetection": "force",
    "moduleResolution": "bundler",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def test_the_types_are_right(tmp_path: Path) -> None:
    if NODE is None:
        pytest.skip(NO_NODE)
    if not TSC.is_file():
        pytest.skip(NO_PACKAGES)
    project = {"compilerOptions": OPTIONS, "include": [str(site_files().resolve() / "*.js")]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
    done = subprocess.run([NODE, TSC, "-p", tmp_path], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_scripts_are_small() -> None:
    lines = [line for path in site_files().glob("*.js") for line in path.read_text(encoding="utf-8").splitlines()]
    assert 0 < len(lines) <= MOST_LINES
    assert [line for line in lines if len(line) > LONGEST_LINE] == []
