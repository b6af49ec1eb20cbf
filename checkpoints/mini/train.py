"""Train the small BioGPT of this folder: vocabulary, weights and the record of the run.

Run as ``python checkpoints/mini/train.py --data DIR --output DIR``; ``--help`` names the rest. A run that was
stopped goes on with ``--resume``; ``--start`` begins another leg from the weights of an earlier one.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BioGptConfig, BioGptForCausalLM

from batches import MIXTURES, Material, Mixture, Stream
from bpe import Tokenizer
from data import DataError, language_texts, load_corpus
from forms import NUM_SOFT_PROMPTS, Example, plain, running_text
from loss import tied_cross_entropy
from material import collect, vocabulary_texts
from muon import Muon
from perplexity import perplexity
from texts import load_texts

REPORT_EVERY = 50  # steps
CALIBRATIONS = (1.05, 1.0, 0.95, 0.9, 0.85, 0.8)
STATE, RUNNING = "state.pt", "running.safetensors"
NTH_WATCHED = 4  # every fourth watched document is enough


@dataclass(frozen=True)
class Settings:
    """Everything that shapes a run besides the data."""

    vocabulary: int = 8000
    layers: int = 4
    hidden: int = 256
    dropout: float = 0.0  # there is enough text to read most of it but once
    warmup: float = 0.02  # share of the run in which the learning rate rises
    decay: float = 0.95  # share of the run in which it falls to zero
    matrix_lr: float = 0.02
    other_lr: float = 0.004
    weight_decay: float = 0.1
    seed: int = 1
    threads: int = 2


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


class Run:
    """A run: the model, what it is shown, and the state from which it can go on."""

    def __init__(self, model: BioGptForCausalLM, stream: Stream, settings: Settings, minutes: float) -> None:
        self.model, self._stream, self._settings, self._minutes = model, stream, settings, minutes
        self._optimizer = Muon(
            model,
            matrix_lr=settings.matrix_lr,
            other_lr=settings.other_lr,
            weight_decay=settings.weight_decay,
        )
        self.steps = self.tokens = 0
        self.spent = 0.0  # seconds of earlier sittings
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the time spent on this run, all sittings together."""
        return self.spent + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Return the share of the run that is done: the schedule follows the clock."""
        return min(1.0, self.seconds / (60 * self._minutes))

    def step(self) -> float:
        """Learn from one batch; return its loss in nats a token."""
        progress = self.progress
        batch = self._stream.batch(progress)
        hidden = self.model.biogpt(batch.ids[:, :-1], use_cache=False).last_hidden_state
        loss = tied_cross_entropy(
            hidden.flatten(0, 1),
            self.model.biogpt.embed_tokens.weight,
            batch.ids[:, 1:].flatten(),
            batch.weights[:, 1:].flatten(),
        )
        torch.autograd.backward(loss)
        self._optimizer.step(rate(progress, self._settings))
        self.steps += 1
        self.tokens += int((batch.weights > 0).sum())
        return loss.item()

    def save(self, path: Path, history: list[dict[str, float]]) -> None:
        """Write all that is needed to go on."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state(),
            "stream": self._stream.state(),
            "steps": self.steps,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "history": history,
        }
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)

    def resume(self, path: Path) -> list[dict[str, float]]:
        """Read what `save` has written; return the history."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self._optimizer.go_on(state["optimizer"])
        self._stream.go_on(state["stream"])
        self.steps, self.tokens, self.spent = state["steps"], state["tokens"], state["seconds"]
        history: list[dict[str, float]] = state["history"]
        return history


class Watch:
    """Keeps the run's history, says how it goes, and saves the weights on the way."""

    def __init__(
        self,
        run: Run,
        watched: dict[str, list[Example]],
        folder: Path,
        record: dict[str, object],
        history: list[dict[str, float]],
    ) -> None:
        self._run, self._watched, self._folder, self._record = run, watched, folder, record
        self._history = history
        self._losses: list[float] = []

    def see(self, loss: float) -> None:
        """Note the loss of one step; every so often measure, report and save."""
        self._losses.append(loss)
        if self._run.steps % REPORT_EVERY == 0:
            self.report()

    def report(self) -> None:
        """Measure on the watched documents; print that; save state, weights and record."""
        minutes = round(self._run.seconds / 60, 1)
        recent = self._losses or [math.nan]
        row = {
            "step": self._run.steps,
            "minutes": minutes,
            "tokens": self._run.tokens,
            "loss": round(sum(recent) / len(recent), 4),
            **{name: round(perplexity(self._run.model, found), 2) for name, found in self._watched.items()},
        }
        self._losses = []
        self._history.append(row)
        print(json.dumps(row), flush=True)
        self._run.save(self._folder / STATE, self._history)
        save_weights(self._run.model, self._folder)
        self._record |= {"steps": self._run.steps, "minutes": minutes, "history": self._history}
        text = json.dumps(self._record, indent=1) + "\n"
        (self._folder / "training.json").write_text(text, encoding="utf-8")


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


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes.

    Attributes:
        data: The annotated documents.
        texts: Running text and looser relations.
        output: The folder to be written.
        start: The folder of an earlier leg, whose vocabulary and weights are gone on from.
    """

    data: Path
    texts: Path
    output: Path
    start: Path | None


def tokenizer_for(paths: Paths, material: Material, size: int) -> Tokenizer:
    """Return the vocabulary: of the earlier leg, of this leg's earlier sitting, or a new one."""
    if paths.start:
        for name in ("vocab.json", "merges.txt"):
            (paths.output / name).write_bytes((paths.start / name).read_bytes())
    if (paths.output / "merges.txt").exists():
        return Tokenizer.load(paths.output)
    return Tokenizer.learn(vocabulary_texts(material), size, paths.output)


def train(settings: Settings, mixture: Mixture, minutes: float, paths: Paths, *, resumed: bool) -> None:
    """Train from the data to a finished folder."""
    corpus, texts = load_corpus(paths.data), load_texts(paths.texts)
    material = collect(corpus.train, texts, settings.seed)
    paths.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    tokenizer = tokenizer_for(paths, material, settings.vocabulary)
    model = new_model(settings)
    earlier = go_on_from(paths.start, model) if paths.start else None
    save_config(model, paths.output)
    running = running_text(tokenizer, material.texts, paths.output / RUNNING)
    run = Run(model, Stream(material, running, tokenizer, mixture, settings.seed), settings, minutes)
    history = run.resume(paths.output / STATE) if resumed else []
    watched = {
        "development_perplexity": [plain(tokenizer, text) for text in language_texts(corpus.development)],
        "watched_perplexity": [plain(tokenizer, article.joined) for article in texts.watched[::NTH_WATCHED]],
    }
    record = {
        "settings": asdict(settings) | {"minutes": minutes},
        "mixture": asdict(mixture),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "machine": f"{platform.machine()}, {settings.threads} threads, no accelerator",
        "earlier": earlier,
    }
    watch = Watch(run, watched, paths.output, record, history)
    while run.progress < 1.0:
        watch.see(run.step())
    record["calibration"] = calibrate(model, watched["development_perplexity"])
    watch.report()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the small BioGPT of this folder.")
    parser.add_argument("--data", type=Path, required=True, help="holds bc5cdr/, pubmedqa/ and text/")
    parser.add_argument("--output", type=Path, required=True, help="the folder to be written")
    parser.add_argument("--start", type=Path, help="a folder written earlier, to go on from")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped, in its folder")
    parser.add_argument("--mixture", choices=MIXTURES, default="text", help="what is shown most (default text)")
    parser.add_argument("--minutes", type=float, default=120, help="end after this time")
    for name in ("seed", "layers", "threads"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Settings, name))
    for name in ("dropout", "decay", "matrix_lr", "other_lr", "weight_decay"):
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=float, default=getattr(Settings, name))
    return parser.parse_args(arguments)


def main() -> int:
    """Train as the command line says; 2 means that the input was bad."""
    options = vars(parse())
    data = options.pop("data")
    paths = Paths(data, data / "text", options.pop("output"), options.pop("start"))
    minutes, resumed, mixture = options.pop("minutes"), options.pop("resume"), MIXTURES[options.pop("mixture")]
    try:
        train(Settings(**options), mixture, minutes, paths, resumed=resumed)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
