"""What is on record of a bundle's making, and that equal inputs make equal bundles."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from biogpt_onnx import quantize
from biogpt_onnx.cli import main
from biogpt_onnx.quantize.data.texts import texts_digest
from biogpt_onnx.runtime.bundle import MANIFEST_FILE, WEIGHTS_FILE, read_manifest
from biogpt_onnx.runtime.bundle.digest import bundle_digest
from biogpt_onnx.runtime.errors import BundleError

TEXTS = ["Aspirin inhibits platelets.", "Insulin lowers glucose."]


@pytest.fixture(scope="module")
def small(mini_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("lineage") / "int4"
    quantize.quantize_bundle(mini_bundle, target, "int4", calibration=TEXTS, texts=TEXTS)
    return target


def test_a_bundle_names_the_checkpoint_files_that_it_was_made_of(mini_bundle: Path, mini_checkpoint: Path) -> None:
    lineage = read_manifest(mini_bundle).lineage
    assert lineage is not None
    files = {file["name"]: file for file in lineage["checkpoint"]["files"]}
    assert {"config.json", "merges.txt", "model.safetensors", "vocab.json"} <= files.keys()
    for name, file in files.items():
        content = (mini_checkpoint / name).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_quantized_bundle_names_bundle_text_and_tools_that_it_was_made_with(small: Path, mini_bundle: Path) -> None:
    manifest = read_manifest(small)
    assert manifest.lineage == {
        "checkpoint": (read_manifest(mini_bundle).lineage or {})["checkpoint"],
        "exported_by": dict(read_manifest(mini_bundle).tools),
        "float32_bundle": bundle_digest(mini_bundle),
        "calibration": {"text": "given", "passages": 2, "sha256": texts_digest(TEXTS)},
    }
    assert manifest.evaluation is not None
    assert manifest.evaluation["text_sha256"] == texts_digest(TEXTS)


def test_the_digest_of_texts_is_that_of_a_file_with_one_a_line() -> None:
    assert texts_digest(TEXTS) == hashlib.sha256("\n".join([*TEXTS, ""]).encode()).hexdigest()


def test_info_tells_the_lineage_back_to_the_checkpoint(
    small: Path, mini_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(small), "--lineage"]) == 0
    said = capsys.readouterr().out
    for part in (bundle_digest(small), bundle_digest(mini_bundle), texts_digest(TEXTS), "model.safetensors", "int4"):
        assert part in said
    assert main(["info", str(small), "--lineage", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["lineage"] == read_manifest(small).lineage
    assert shown["evaluation_text"] == {"text": "given", "text_sha256": texts_digest(TEXTS)}


@pytest.mark.parametrize("lineage", [None, {}, {"checkpoint": 1}, {"checkpoint": {"files": [{}]}, "exported_by": 3}])
def test_info_copes_with_what_earlier_and_later_versions_have_on_record(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lineage: object
) -> None:
    bundle = Path(shutil.copytree(small, tmp_path / "bundle"))
    path = bundle / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"lineage": lineage}), encoding="utf-8")
    assert main(["info", str(bundle), "--lineage"]) == 0
    said = capsys.readouterr().out
    assert "not on record" in said or "does not know" in said


def test_weights_that_their_manifest_does_not_know_are_not_quantized(mini_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(mini_bundle, tmp_path / "bundle"))
    with (bundle / WEIGHTS_FILE).open("r+b") as file:
        file.seek(5_000)
        file.write(b"\x01\x02")
    with pytest.raises(BundleError, match=f"{WEIGHTS_FILE} is altered"):
        quantize.quantize_bundle(bundle, tmp_path / "small", "int8", evaluation=False)
    assert not (tmp_path / "small").exists()


def test_equal_inputs_make_equal_bundles_whatever_the_surroundings(
    mini_checkpoint: Path, tmp_path: Path, mini_bundle: Path
) -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    digests = []
    for seed, cpus in (("1", cores), ("2", None if cores is None else {min(cores)})):
        folder = tmp_path / seed
        folder.mkdir()
        shutil.copytree(mini_checkpoint, folder / "mini")
        program = (
            "import os, sys\n"
            f"cpus = {cpus!r}\n"
            "if cpus: os.sched_setaffinity(0, cpus)\n"
            "from biogpt_onnx.cli import main\n"
            "main(['export', 'mini', '-o', 'fp32'])\n"
            "sys.exit(main(['quantize', 'fp32', '-o', 'int8', '--recipe', 'int8', '--no-evaluation']))\n"
        )
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"},
            capture_output=True,
            check=True,
        )
        digests.append((bundle_digest(folder / "fp32"), bundle_digest(folder / "int8")))
    assert digests[0] == digests[1]
    assert digests[0][0] == bundle_digest(mini_bundle)
