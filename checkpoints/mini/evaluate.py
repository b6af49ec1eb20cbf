"""What the model is worth on documents it has not seen, beside n-gram models.

Run as ``python checkpoints/mini/evaluate.py --data DIR --model DIR``. The results
go into the model's ``training.json`` and from there into its card.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import BioGptForCausalLM

from bpe import END_OF_WORD, EOS, Tokenizer
from card import update_card
from data import ANSWERS, Abstract, Corpus, DataError, Question, load_corpus
from forms import Example, plain, prompt, running_text, task
from material import collect
from ngram import KneserNey
from perplexity import losses, perplexity
from texts import load_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_TARGET = 160  # tokens; a longer list of relations is cut there
_ORDERS = {"unigram": 1, "bigram": 2, "trigram": 3, "4-gram": 4}

Texts = dict[str, list[Example]]


def baselines(running: Sequence[Example], vocabulary: int, held_out: Texts) -> dict[str, dict[str, float]]:
    """Return the perplexities of n-gram models that were counted on the running text."""
    found = {}
    for name, order in _ORDERS.items():
        model = KneserNey(running, order, vocabulary)
        found[name] = {key: round(model.perplexity(part), 2) for key, part in held_out.items()}
    return found


@torch.no_grad()
def generate(model: BioGptForCausalLM, given: list[int]) -> list[int]:
    """Return the greedy continuation, up to and without ``</s>``."""
    produced: list[int] = []
    cache, step = None, torch.tensor([given])
    while len(produced) < _MAX_TARGET:
        answer = model(step, past_key_values=cache, use_cache=True)
        cache, best = answer.past_key_values, int(answer.logits[0, -1].argmax())
        if best == EOS:
            break
        produced.append(best)
        step = torch.tensor([[best]])
    return produced


def read_relations(ids: Sequence[int], symbols: Mapping[int, str]) -> set[tuple[str, str]]:
    """Return the (chemical, disease) pairs that a target names; malformed parts name none."""
    text = "".join(symbols.get(i, "") for i in ids).replace(END_OF_WORD, " ").strip()
    pairs = set()
    for said in text.removesuffix(" .").split(" ; "):
        inner = said.removeprefix("the relation between ").removesuffix(" exists")
        if len(said) - len(inner) == len("the relation between  exists") and " and " in inner:
            chemical, disease = inner.split(" and ", 1)
            pairs.add((chemical, disease))
    return pairs


def relation_extraction(
    model: BioGptForCausalLM, tokenizer: Tokenizer, documents: Sequence[Abstract]
) -> dict[str, float]:
    """Return micro-averaged scores of exact surface pairs, greedy decoding."""
    symbols = {index: symbol for symbol, index in tokenizer.vocabulary.items()}
    found = named = right = wellformed = 0
    for document in documents:
        gold = read_relations(tokenizer.encode(document.target), symbols)
        said = read_relations(generate(model, prompt(tokenizer, document.source)), symbols)
        found, named, right = found + len(said), named + len(gold), right + len(said & gold)
        wellformed += bool(said)
    return {
        "documents": len(documents),
        "wellformed": wellformed,
        "gold_pairs": named,
        "predicted_pairs": found,
        "correct_pairs": right,
        "precision": round(right / max(found, 1), 4),
        "recall": round(right / max(named, 1), 4),
        "f1": round(2 * right / max(found + named, 1), 4),
    }


def question_answering(
    model: BioGptForCausalLM, tokenizer: Tokenizer, items: Sequence[Question], *, shows_conclusion: bool
) -> dict[str, float]:
    """Return the accuracy of the most probable of the three answers, beside the majority's."""
    right = 0
    said: Counter[str] = Counter()
    for item in items:
        shown = replace(item, shows_conclusion=shows_conclusion)
        scores = losses(model, [task(tokenizer, replace(shown, answer=answer)) for answer in ANSWERS])
        answer = ANSWERS[scores.index(min(scores))]
        said[answer] += 1
        right += answer == item.answer
    majority = Counter(item.answer for item in items).most_common(1)[0][1]
    return {
        "questions": len(items),
        "accuracy": round(right / len(items), 4),
        "majority_accuracy": round(majority / len(items), 4),
        **{f"answered_{answer}": said[answer] for answer in ANSWERS},
    }


def evaluate(folder: Path, data: Path, seed: int) -> dict[str, object]:
    """Return every number of the card that is measured on held-out documents.

    Args:
        folder: the model.
        data: the folder of the documents.
        seed: that of the run, which chose the full text that was read.
    """
    corpus, tokenizer = load_corpus(data), Tokenizer.load(folder)
    # the weights as they are stored, rounded to half precision, computed with in single
    model = BioGptForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.train(mode=False)
    abstracts = [plain(tokenizer, document.text) for document in corpus.held_out.abstracts]
    contexts = [plain(tokenizer, item.context) for item in corpus.held_out.questions]
    texts = {"bc5cdr": abstracts, "pubmedqa": contexts, "together": abstracts + contexts}
    material = collect(corpus.train, load_texts(data / "text"), seed)
    running = running_text(tokenizer, material.texts)
    questions = corpus.held_out.questions
    return {
        "tokens": {key: sum(len(e.ids) - 1 for e in part) for key, part in texts.items()},
        "characters": _characters(corpus),
        "training_tokens": sum(len(example.ids) - 1 for example in running),
        "perplexity": {
            "model": {key: round(perplexity(model, part), 2) for key, part in texts.items()},
            **baselines(running, len(tokenizer.vocabulary), texts),
        },
        "relation_extraction": relation_extraction(model, tokenizer, corpus.held_out.abstracts),
        "question_answering": question_answering(model, tokenizer, questions, shows_conclusion=False),
        "question_answering_with_conclusion": question_answering(model, tokenizer, questions, shows_conclusion=True),
    }


def _characters(corpus: Corpus) -> dict[str, int]:
    abstracts = sum(len(document.text) for document in corpus.held_out.abstracts)
    contexts = sum(len(item.context) for item in corpus.held_out.questions)
    return {"bc5cdr": abstracts, "pubmedqa": contexts, "together": abstracts + contexts}


def main() -> int:
    """Evaluate as the command line says; 2 means that the input was bad."""
    parser = argparse.ArgumentParser(description="Evaluate the small BioGPT of this folder.")
    parser.add_argument("--data", type=Path, required=True, help="holds bc5cdr/, pubmedqa/ and text/")
    parser.add_argument("--model", type=Path, required=True, help="what train.py has written")
    options = parser.parse_args()
    record_path = options.model / "training.json"
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        record["held_out"] = evaluate(options.model, options.data, record["settings"]["seed"])
        record_path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        update_card(options.model / "README.md", record)
    except (DataError, OSError, json.JSONDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(record["held_out"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
