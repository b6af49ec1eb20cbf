"""llama.cpp's `llama-server`: its build, from the source that llama-cpp-python carries, and the file that it loads."""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare.peers.catalogue import REQUIREMENTS
from benchmarks.compare.peers.checkpoint import Checkpoint
from benchmarks.compare.peers.environments import llama_cpp_options, reason_of
from benchmarks.compare.peers.gguf_file import write_gguf

FILE_NAME = "model.gguf"

_PACKAGE = "llama-cpp-python"
_PROGRAMS = ("llama-server", "llama-quantize")
_SOURCE = "vendor/llama.cpp"
# Nothing is fetched while it is built, and the programs need no library of the environment.
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
)


def version() -> str:
    """Returns the requirement of the package whose source is built, the one that `benchmarks.compare` measures."""
    lines = (REQUIREMENTS / "llama-cpp.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(_PACKAGE))


def build(folder: Path, requirements: Path) -> str | None:
    """Compiles the programs for this processor, on two cores, into the environment's `bin`.

    Args:
        folder: of the environment.
        requirements: what is installed in it; the source is that of `benchmarks.compare`.

    Returns:
        None, or in one line why it failed.
    """
    del requirements
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        reason = _run([*pip, "--no-deps", "--no-binary", _PACKAGE, "--dest", str(work), version()], folder)
        if reason is not None:
            return reason
        with tarfile.open(next(work.glob("*.tar.gz"))) as archive:
            # Before Python 3.11.4 there are no filters.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(work)  # noqa: S202 -- filtered, see above
        source = next(work.glob(f"*/{_SOURCE}"))
        built = work / "build"
        for command in (
            ["cmake", "-S", str(source), "-B", str(built), "-G", "Ninja", *_OPTIONS, *llama_cpp_options()],
            ["cmake", "--build", str(built), "--parallel", "2", "--target", *_PROGRAMS],
        ):
            reason = _run(command, folder)
            if reason is not None:
                return reason
        for program in _PROGRAMS:
            (built / "bin" / program).rename(folder / "bin" / program)
    return None


def convert(checkpoint: Path, output: Path) -> None:
    """Writes the weights in 8 bits (Q8_0) as llama-server loads them: with a text for each token.

    Args:
        checkpoint: a Hugging Face folder of safetensors.
        output: a new folder.

    Raises:
        RuntimeError: llama.cpp could not quantize them.
    """
    source = Checkpoint(checkpoint)
    output.mkdir()
    full = output / "float32.gguf"
    # BioGPT's own symbols are no text by llama.cpp's rules for GPT-2, and what it cannot write it holds back.
    write_gguf(source, full, [f"w{number} " for number in range(len(source.embedding))])
    program = Path(sys.executable).with_name("llama-quantize")
    done = subprocess.run(
        [str(program), str(full), str(output / FILE_NAME), "Q8_0"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"llama-quantize ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    full.unlink()


def _run(command: Sequence[str], folder: Path) -> str | None:
    search = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(command, env={**os.environ, "PATH": search}, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{command[0]} cannot be started ({error.strerror})"
    return None if done.returncode == 0 else reason_of(done.stderr or done.stdout, done.returncode)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    convert(options.checkpoint, options.output)
