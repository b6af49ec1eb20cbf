"""The fixed set of requests whose answers are the same wherever, and by whatever way, they are asked.

`python -m makers.fixed_requests FOLDER SET NAME...`, with `tests` on the path, prints what the bundles FOLDER/NAME
answer here, a line of JSON each; tests run it on emulated processors. SET is "all", or "few" for the requests that are
marked for emulators, which are slow.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import biogpt_onnx
from biogpt_onnx import BioGPT, Choices, Generation, tasks
from biogpt_onnx.tasks import Answer, Document, Relations

Request = Mapping[str, Any]
"""A name, and what is asked: a text to continue, choices, or a task on a document."""

FOLDER = Path(__file__).parents[1] / "same_answers"
REQUESTS: Sequence[Request] = json.loads((FOLDER / "requests.json").read_text(encoding="utf-8"))
SCORED = "Lithium caused tremor in two of nine patients."
"""A text of which the log-probability of each token is compared."""
NEIGHBOURS = ("Fatal renal failure was seen in a child with leukemia, who had", "Haloperidol")
"""Texts that stand beside another one in a batch."""


def kind_of(request: Request) -> str:
    """Returns "generate", "choose" or "task"."""
    if "task" in request:
        return "task"
    return "choose" if "choices" in request else "generate"


def answer_alone(model: BioGPT, request: Request) -> Any:
    """Asks a model for one answer, and returns it as JSON values without scores."""
    prefix = model.prefix(request["prefix"]) if "prefix" in request else None
    if kind_of(request) == "task":
        return answer_of(tasks.run(request["task"], model, [Document(**request["document"])])[0])
    if kind_of(request) == "choose":
        return answer_of(model.choose(request["prompt"], request["choices"], prefix=prefix))
    allowed = request.get("allowed")
    return answer_of(model.generate(request["prompt"], prefix=prefix, allowed=allowed, **request["settings"]))


def answer_in_batch(model: BioGPT, request: Request) -> Any:
    """Asks for the same with a text before it and one behind it."""
    before, behind = NEIGHBOURS
    if kind_of(request) == "task":
        document = Document(**request["document"])
        others = [Document(text, question=document.question) for text in NEIGHBOURS]
        return answer_of(tasks.run(request["task"], model, [others[0], document, others[1]])[1])
    prompts = [before, request["prompt"], behind]
    if kind_of(request) == "choose":
        return answer_of(model.choose(prompts, request["choices"])[1])
    return answer_of(model.generate(prompts, allowed=request.get("allowed"), **request["settings"])[1])


def answer_of(result: Generation | Choices | Relations | Answer) -> Any:
    """Returns a result as JSON values, without its scores."""
    if isinstance(result, Generation):
        return [{"tokens": list(each.token_ids), "text": each.text} for each in result.sequences]
    if isinstance(result, Choices):
        return [choice.text for choice in sorted(result.choices, key=lambda choice: -choice.log_probability)]
    if isinstance(result, Relations):
        return {"text": result.text, "relations": [[each.head, each.relation, each.tail] for each in result.relations]}
    return {"label": result.label}


def answer_of_record(record: Mapping[str, Any]) -> Any:
    """Returns the same of a record, as commands, server and corpora write them of the results of tasks."""
    if "label" in record:
        return {"label": record["label"]}
    relations = [[each[part] for part in ("head", "relation", "tail")] for each in record["relations"]]
    return {"text": record["text"], "relations": relations}


def requests_of(name: str) -> Sequence[Request]:
    """Returns the requests of a set, "all" or "few"."""
    return [request for request in REQUESTS if name == "all" or request.get("emulated")]


def answers_of(model: BioGPT, requests: Sequence[Request] = REQUESTS) -> dict[str, Any]:
    """Asks a model for one answer after the other."""
    return {request["name"]: answer_alone(model, request) for request in requests}


def main(arguments: Sequence[str]) -> None:
    """Prints the answers of bundles, and the log-probabilities of the tokens of a text."""
    folder, which, *names = arguments
    for name in names:
        with biogpt_onnx.load(Path(folder) / name, threads=1, warm_up=False) as model:
            scores = model.score(SCORED).log_probabilities
            found = {"name": name, "answers": answers_of(model, requests_of(which)), "scores": scores}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
