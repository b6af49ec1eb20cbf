"""From a folder to a model that generates."""

import threading
from pathlib import Path

from biogpt_onnx.runtime import bundle
from biogpt_onnx.runtime.backends.registry import open_session
from biogpt_onnx.runtime.bundle import Manifest, check_files, read_manifest
from biogpt_onnx.runtime.engine import BioGPT
from biogpt_onnx.runtime.errors import BundleError
from biogpt_onnx.runtime.ort.providers import Device
from biogpt_onnx.runtime.tokenizer import BioGptTokenizer
from biogpt_onnx.runtime.tokenizer.vocabulary import VocabularyError


def load(  # noqa: PLR0913 -- what is loaded, where it runs, and how its weights are kept
    folder: str | Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    prepack: bool = True,
    share_weights: bool = False,
    cache_folder: str | Path | None = None,
    warm_up: bool = True,
) -> BioGPT:
    """Loads a bundle.

    Args:
        folder: the bundle, as `biogpt-onnx export` wrote it.
        device: "cpu", "cuda", or "auto" for the best that runs the bundle; `BioGPT.device` says which. Bundles in half
            precision run on a GPU; where one is there but fails, "auto" warns and takes the CPU.
        threads: threads that compute one step; None for one a core.
        prepack: rearrange the weights once while loading, which makes prefill, beams and batches faster; False starts
            at once, maps the weights from the file, and is the faster for one sequence at a time.
        share_weights: keep the rearranged weights in a cache on the disk, where the first load writes them and later
            ones map them, so that any number of processes has one copy in memory and starts faster. It takes twice the
            bundle's disk space, on the CPU only, and the answers are the same to the last bit.
        cache_folder: where the cache is; None for `$BIOGPT_ONNX_CACHE`, or else a folder of the user's. It must be one
            that nobody else can write to.
        warm_up: load what uncommon words need, which takes half a second, in the background at once; False leaves it
            to the first such word.

    Raises:
        BundleError: the bundle is missing, incomplete or damaged.
        ProviderError: ONNX Runtime or the device cannot be had; says what is missing.
        DeviceMemoryError: the weights do not fit in the GPU's memory.
        ConfigError: a bad setting, or a cache folder that cannot be used.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    tokenizer = open_tokenizer(folder, manifest)
    if warm_up:
        threading.Thread(target=tokenizer.warm_up, daemon=True).start()
    session = open_session(
        folder,
        manifest,
        device=device,
        threads=threads,
        prepack=prepack,
        share_weights=share_weights,
        cache_folder=None if cache_folder is None else Path(cache_folder),
    )
    return BioGPT(session, tokenizer, manifest, session.device)


def open_tokenizer(folder: Path, manifest: Manifest) -> BioGptTokenizer:
    """The tokenizer of a bundle.

    Raises:
        BundleError: its vocabulary is damaged, or of another size than the model's.
    """
    try:
        tokenizer = BioGptTokenizer.from_files(
            folder / bundle.VOCAB_FILE,
            folder / bundle.MERGES_FILE,
            soft_prompt_size=manifest.architecture.soft_prompt_size,
        )
    except VocabularyError as error:
        raise BundleError(f"{folder}: {error}: export the bundle again") from error
    if tokenizer.vocab_size != manifest.architecture.vocab_size:
        raise BundleError(
            f"{folder}: the vocabulary has {tokenizer.vocab_size:,} entries, the model "
            f"{manifest.architecture.vocab_size:,}: export the bundle again"
        )
    return tokenizer
