import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="runs in the checkout only")


@pytest.fixture
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    if spec is None or spec.loader is None:
        raise AssertionError("benchmarks/report.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readmes_numbers_are_those_of_the_committed_run(report: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    run = json.loads((ROOT / "benchmarks" / "results" / "fp32.json").read_text(encoding="utf-8"))
    assert report.readme_with(text, report.table(run)) == text


def test_another_number_would_show(report: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    run = json.loads((ROOT / "benchmarks" / "results" / "fp32.json").read_text(encoding="utf-8"))
    run["decoding"]["medians"]["mapped"]["step_seconds"] *= 2
    assert report.readme_with(text, report.table(run)) != text


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert targets
    assert [target for target in targets if not target.startswith("http") and not (ROOT / target).exists()] == []
