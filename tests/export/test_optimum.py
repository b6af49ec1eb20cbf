import socket
from pathlib import Path
from typing import Any

import pytest

from biogpt_onnx.cli import main
from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.runtime.errors import BundleError
from makers.checkpoints import tiny_architecture, write_huggingface


def has_optimum() -> bool:
    try:
        import optimum.exporters.onnx  # noqa: F401, PLC0415 -- an extra
    except ImportError:
        return False
    return True


needs_optimum = pytest.mark.skipif(not has_optimum(), reason="optimum-onnx is not installed")
# optimum and what it calls use things that their libraries are about to drop.
ignores_warnings = pytest.mark.filterwarnings("default")


@pytest.mark.skipif(has_optimum(), reason="optimum-onnx is installed")
def test_without_optimum_the_error_says_what_to_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_huggingface(tmp_path / "checkpoint", tiny_architecture())
    assert main(["export", str(source), "-o", str(tmp_path / "out"), "--layout", "optimum"]) == 2
    assert "biogpt-onnx[export,optimum]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def optimum_folder(tmp_path_factory: pytest.TempPathFactory, mini_checkpoint: Path) -> Path:
    from biogpt_onnx.export.optimum import export_optimum  # noqa: PLC0415 -- an extra

    attempts: list[Any] = []

    def refuse(*address: Any, **_: Any) -> None:
        attempts.append(address)
        raise OSError("no network")

    target = tmp_path_factory.mktemp("optimum") / "mini"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        export_optimum(open_checkpoint(mini_checkpoint), target)
    assert attempts == []
    return target


@needs_optimum
@ignores_warnings
def test_optimums_model_generates_what_transformers_does(optimum_folder: Path, mini_checkpoint: Path) -> None:
    import torch  # noqa: PLC0415 -- an extra
    from optimum.onnxruntime import ORTModelForCausalLM  # noqa: PLC0415 -- likewise
    from transformers import AutoTokenizer, BioGptForCausalLM  # noqa: PLC0415 -- likewise

    tokenizer = AutoTokenizer.from_pretrained(optimum_folder)
    exported = ORTModelForCausalLM.from_pretrained(optimum_folder)
    load: Any = BioGptForCausalLM.from_pretrained
    original = load(mini_checkpoint).float()
    for prompt in ("The patient was treated with", "Aspirin"):
        inputs = tokenizer(prompt, return_tensors="pt")
        settings = {"max_new_tokens": 16, "min_new_tokens": 16, "do_sample": False, "pad_token_id": 1}
        got, expected = exported.generate(**inputs, **settings), original.generate(**inputs, **settings)
        assert torch.equal(got, expected)


@needs_optimum
@ignores_warnings
def test_our_runtime_generates_what_optimums_does(optimum_folder: Path, mini: Any) -> None:
    from optimum.onnxruntime import ORTModelForCausalLM  # noqa: PLC0415 -- an extra
    from transformers import AutoTokenizer  # noqa: PLC0415 -- likewise

    inputs = AutoTokenizer.from_pretrained(optimum_folder)("Insulin", return_tensors="pt")
    exported = ORTModelForCausalLM.from_pretrained(optimum_folder)
    theirs = exported.generate(**inputs, max_new_tokens=16, min_new_tokens=16, do_sample=False, pad_token_id=1)
    ours = mini.generate("Insulin", max_new_tokens=16, min_new_tokens=16)
    assert theirs[0, inputs["input_ids"].shape[1] :].tolist() == list(ours.token_ids)


@needs_optimum
@ignores_warnings
def test_an_occupied_target_is_refused_before_the_model_is_traced(tmp_path: Path, mini_checkpoint: Path) -> None:
    from biogpt_onnx.export.optimum import export_optimum  # noqa: PLC0415 -- an extra

    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="not empty"):
        export_optimum(open_checkpoint(mini_checkpoint), tmp_path)
