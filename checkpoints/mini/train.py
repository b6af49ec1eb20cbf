"""Train the small BioGPT of this folder: vocabulary, weights and the record of the run.

Run as ``python checkpoints/mini/train.py --data DIR --output DIR``; ``--help`` names the rest.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BioGptConfig, BioGptForCausalLM

from batches import Mixture, Stream
from bpe import Tokenizer
from data import (
    NUM_SOFT_PROMPTS,
    Corpus,
    DataError,
    Example,
    language_texts,
    load_corpus,
    plain,
    tasks,
)
from loss import tied_cross_entropy
from muon import Muon
from perplexity import perplexity

REPORT_EVERY = 50  # steps
CALIBRATIONS = (1.0, 0.9, 0.85, 0.8, 0.75, 0.7)


@dataclass(frozen=True)
class Settings:
    """Everything that shapes a run besides the data."""

    vocabulary: int = 8000
    layers: int = 4
    hidden: int = 256
    dropout: float = 0.2
    steps: int = 900
    warmup: float = 0.03  # share of the steps in which the learning rate rises
    decay: float = 0.95  # share of the steps in which it falls to zero
    matrix_lr: float = 0.02
    other_lr: float = 0.004
    weight_decay: float = 0.1
    seed: int = 1
    threads: int = 1  # another number sums in another order


def new_model(settings: Settings) -> BioGptForCausalLM:
    """Return an untrained model; a head holds 64 features, as in BioGPT."""
    config = BioGptConfig(
        vocab_size=settings.vocabulary + NUM_SOFT_PROMPTS,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.hidden // 64,
        intermediate_size=4 * settings.hidden,
        hidden_dropout_prob=settings.dropout,
        # the fused attention kernel has no dropout on a CPU
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=1024,
    )
    model = BioGptForCausalLM(config)
    for name, parameter in model.named_parameters():
        # residual branches start silent, so that depth costs nothing at first
        if name.endswith(("out_proj.weight", "fc2.weight")):
            torch.nn.init.zeros_(parameter)
    return model


def rate(progress: float, settings: Settings) -> float:
    """Return the factor on the learning rates: up, level, down to zero."""
    return min(1.0, progress / settings.warmup, (1.0 - progress) / settings.decay)


class Watch:
    """Keeps the run's history, says how it goes, and saves the weights on the way."""

    def __init__(
        self,
        model: BioGptForCausalLM,
        development: list[Example],
        folder: Path,
        record: dict[str, object],
    ) -> None:
        self._model, self._development, self._folder = model, development, folder
        self._record = record
        self._history: list[dict[str, float]] = []
        self._started, self._tokens = time.monotonic(), 0
        self._losses: list[float] = []

    @property
    def steps(self) -> int:
        """Steps seen."""
        return len(self._losses)

    def see(self, loss: float, tokens: int) -> None:
        """Note one step; every so often measure, report and save."""
        self._losses.append(loss)
        self._tokens += tokens
        if self.steps % REPORT_EVERY == 0:
            self.report()

    def report(self) -> None:
        """Measure on the development documents; print that; save weights and record."""
        minutes = round((time.monotonic() - self._started) / 60, 1)
        recent = self._losses[-REPORT_EVERY:]
        row = {
            "step": self.steps,
            "minutes": minutes,
            "tokens": self._tokens,
            "loss": round(sum(recent) / len(recent), 4),
            "development_perplexity": round(perplexity(self._model, self._development), 2),
        }
        self._history.append(row)
        print(json.dumps(row), flush=True)
        save_weights(self._model, self._folder)
        self._record |= {"steps": self.steps, "minutes": minutes, "history": self._history}
        text = json.dumps(self._record, indent=1) + "\n"
        (self._folder / "training.json").write_text(text, encoding="utf-8")


def fit(model: BioGptForCausalLM, stream: Stream, settings: Settings, minutes: float, watch: Watch) -> None:
    """Run the steps; where ``minutes`` would not suffice, the schedule follows the clock."""
    optimizer = Muon(
        model,
        matrix_lr=settings.matrix_lr,
        other_lr=settings.other_lr,
        weight_decay=settings.weight_decay,
    )
    started, progress = time.monotonic(), 0.0
    for step, batch in enumerate(stream):
        spent = (time.monotonic() - started) / (60 * minutes)
        progress = max((step + 1) / (settings.steps + 1), min(spent, 1.0))
        if progress >= 1.0 or step == settings.steps:
            break
        hidden = model.biogpt(batch.ids[:, :-1], use_cache=False).last_hidden_state
        loss = tied_cross_entropy(
            hidden.flatten(0, 1),
            model.biogpt.embed_tokens.weight,
            batch.ids[:, 1:].flatten(),
            batch.weights[:, 1:].flatten(),
        )
        torch.autograd.backward(loss)
        optimizer.step(rate(progress, settings))
        watch.see(loss.item(), int((batch.weights > 0).sum()))


@torch.no_grad()
def calibrate(model: BioGptForCausalLM, development: list[Example]) -> float:
    """Take the overconfidence of many epochs out of the model; return the factor on its logits.

    The factor that serves the development documents best goes into the last norm (temperature
    scaling, Guo et al. 2017, arXiv:1706.04599), so which token is the likeliest does not change.
    """
    norm = model.biogpt.layer_norm
    weight, bias = norm.weight.clone(), norm.bias.clone()
    scores = {}
    for factor in CALIBRATIONS:
        norm.weight.copy_(weight * factor)
        norm.bias.copy_(bias * factor)
        scores[factor] = perplexity(model, development)
    best = min(scores, key=scores.__getitem__)
    norm.weight.copy_(weight * best)
    norm.bias.copy_(bias * best)
    return best


def save_weights(model: BioGptForCausalLM, folder: Path) -> None:
    """Write the weights in half precision, without the head: it is the embedding."""
    tensors = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "output_projection.weight"
    }
    unfinished = folder / "model.safetensors.part"
    save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.chmod(0o644)  # safetensors lets only the owner read
    unfinished.replace(folder / "model.safetensors")


def save_config(model: BioGptForCausalLM, folder: Path) -> None:
    """Write what transformers needs beside the weights and the vocabulary."""
    config = model.config.to_dict() | {"dtype": "float16", "architectures": ["BioGptForCausalLM"]}
    for absent in ("_name_or_path", "transformers_version"):
        config.pop(absent, None)
    tokenizer = {"tokenizer_class": "BioGptTokenizer", "model_max_length": 1024}
    for name, content in (("config", config), ("tokenizer_config", tokenizer)):
        text = json.dumps(content, indent=2, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def go_on_from(folder: Path, model: BioGptForCausalLM) -> dict[str, object]:
    """Load the weights of an earlier run of the same shape; return that run's record."""
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    record: dict[str, object] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return record


def vocabulary_texts(corpus: Corpus) -> list[str]:
    """Return every text that is trained on, once: the vocabulary is learned from these."""
    train = corpus.train
    texts = language_texts(train) + [document.target for document in tasks(train)]
    texts += [document.source for document in train.abstracts]
    return texts + [item.question for item in train.questions]


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes; ``start`` holds the weights to go on from, if any."""

    data: Path
    output: Path
    start: Path | None


def run(settings: Settings, mixture: Mixture, minutes: float, paths: Paths) -> None:
    """Train from the data to a finished folder."""
    corpus, folder = load_corpus(paths.data), paths.output
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True)
    tokenizer = Tokenizer.learn(vocabulary_texts(corpus), settings.vocabulary, folder)
    model = new_model(settings)
    earlier = go_on_from(paths.start, model) if paths.start else None
    save_config(model, folder)
    stream = Stream(corpus.train, tokenizer, mixture, random.Random(settings.seed))
    development = [plain(tokenizer, t) for t in language_texts(corpus.development)]
    record = {
        "settings": asdict(settings) | {"minutes": minutes},
        "mixture": asdict(mixture),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "machine": f"{platform.machine()}, {settings.threads} threads, no accelerator",
        "earlier": earlier,
    }
    watch = Watch(model, development, folder, record)
    fit(model, stream, settings, minutes, watch)
    record["calibration"] = calibrate(model, development)
    watch.report()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the small BioGPT of this folder.")
    parser.add_argument("--data", type=Path, required=True, help="holds bc5cdr/ and pubmedqa/")
    parser.add_argument("--output", type=Path, required=True, help="the folder to be written")
    parser.add_argument("--start", type=Path, help="a folder written earlier, to go on from")
    parser.add_argument("--minutes", type=float, default=60, help="end after this time at most")
    for name in ("steps", "seed", "layers", "threads"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name))
    for name in ("dropout", "decay", "matrix_lr", "other_lr", "weight_decay"):
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=float, default=getattr(Settings, name))
    return parser.parse_args(arguments)


def main() -> int:
    """Train as the command line says; 2 means that the input was bad."""
    options = vars(parse())
    paths = Paths(**{name: options.pop(name) for name in ("data", "output", "start")})
    minutes = options.pop("minutes")
    try:
        run(Settings(**options), Mixture(), minutes, paths)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
