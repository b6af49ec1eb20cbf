"""The address /v1/choices: how probable each of several given continuations is."""

from collections.abc import Mapping, Sequence

from biogpt_onnx.runtime.results import Choices, Usage
from biogpt_onnx.server.endpoints.models import check_model
from biogpt_onnx.server.endpoints.usage import usage_content
from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.errors import bad_field
from biogpt_onnx.server.http.fields import Fields, checked_text
from biogpt_onnx.server.settings import MAX_CHOICE_LENGTH, MAX_CHOICES

_SHOWN = ("text", "log_probability", "probability")


async def choose(call: Call) -> Mapping[str, object]:
    """Scores the same continuations after each of some prompts."""
    fields = await call.fields()
    check_model(call.service, fields.text("model"))
    prompts = _prompts(fields, call.service.settings.max_prompts)
    choices = fields.items("choices", MAX_CHOICES, _choice)
    ends = fields.flag("ends") or False
    fields.done()
    call.outcome.num_sequences = len(prompts)

    def compute() -> tuple[list[Choices], list[int]]:
        model = call.service.model
        found = model.choose(prompts, choices, ends=ends, cancel=call.cancel)
        return found, [len(model.tokenizer.encode(prompt)) for prompt in prompts]

    with call.admitted(len(prompts)):
        found, sizes = await call.compute(compute)
    for size in sizes:
        call.service.metrics.note_prompt(size)
    call.outcome.prompt_tokens = sum(sizes)
    return {
        "object": "choices",
        "model": call.service.name,
        "results": [_result(index, each) for index, each in enumerate(found)],
        "usage": usage_content(Usage(sum(sizes))),
    }


def _prompts(fields: Fields, most: int) -> Sequence[str]:
    value = fields.value("prompt")
    if isinstance(value, str):
        return [checked_text("prompt", value)]
    if not isinstance(value, list) or not value:
        raise bad_field("prompt", "must be a text or a list of texts")
    if len(value) > most:
        raise bad_field("prompt", f"holds {len(value)} prompts, at most {most} are allowed: send fewer at a time")
    return [checked_text(f"prompt[{index}]", item) for index, item in enumerate(value)]


def _choice(name: str, value: object) -> str:
    return checked_text(name, value, MAX_CHOICE_LENGTH)


def _result(index: int, choices: Choices) -> Mapping[str, object]:
    data = choices.to_dict()["choices"]
    shown = [{name: choice[name] for name in _SHOWN} for choice in data]
    return {"index": index, "best": choices.best.text, "choices": shown}
