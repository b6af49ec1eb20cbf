"""Speed of the tokenizer, with the published vocabulary on real abstracts."""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from biogpt_onnx.export.checkpoint.open import open_checkpoint
from biogpt_onnx.export.huggingface_files import write_huggingface_files
from biogpt_onnx.runtime.bundle import MERGES_FILE, VOCAB_FILE
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer

ROUNDS = 10


def measure(folder: Path, data: Path | None) -> Mapping[str, object]:
    """Measures megabytes of UTF-8 per second on one thread, and how long the tokenizer takes to load.

    Args:
        folder: for temporary files.
        data: a folder with `biogpt/dict.txt`, `biogpt/bpecodes` and `pubmedqa/train.tsv`; nothing is measured without.
    """
    if data is None:
        return {"measured": False, "reason": "no folder with the published vocabulary and texts was named"}
    checkpoint = open_checkpoint("preset:biogpt", vocabulary=data / "biogpt")
    write_huggingface_files(checkpoint, folder)
    texts = (data / "pubmedqa" / "train.tsv").read_text(encoding="utf-8").splitlines()
    size = sum(len(text.encode()) for text in texts)
    loading, seconds = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        tokenizer = BioGptTokenizer.from_files(folder / VOCAB_FILE, folder / MERGES_FILE)
        loading.append(time.perf_counter() - start)
    tokenizer.warm_up()
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        for text in texts:
            tokenizer.encode(text)
        seconds.append(time.perf_counter() - start)
    return {
        "measured": True,
        "documents": len(texts),
        "bytes": size,
        "load_seconds": statistics.median(loading),
        "first_pass_mb_per_second": size / seconds[0] / 1e6,
        "warm_mb_per_second": size / statistics.median(seconds[1:]) / 1e6,
        "samples": seconds,
    }
