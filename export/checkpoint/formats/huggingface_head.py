"""Reader of a classification head's labels and their meaning, from a Hugging Face `config.json`."""

from collections.abc import Iterable, Mapping

from biogpt_onnx.export.checkpoint.tensor import CheckpointTensor
from biogpt_onnx.export.checkpoint.validate import Problems, printable
from biogpt_onnx.runtime.bundle.classification_head import (
    PROBLEM_TYPES,
    ClassificationHead,
    HeadKind,
    ProblemType,
)
from biogpt_onnx.runtime.errors import CheckpointError

CLASSES: dict[HeadKind, str] = {
    "sequence-classification": "BioGptForSequenceClassification",
    "token-classification": "BioGptForTokenClassification",
}
"""transformers' classes of the kinds of heads."""

_WEIGHTS: dict[HeadKind, str] = {"sequence-classification": "score.weight", "token-classification": "classifier.weight"}
_LANGUAGE_MODEL = "BioGptForCausalLM"
_DEFAULT_PAD_TOKEN_ID = 1  # of transformers' BioGptConfig
_DEFAULT_NUM_LABELS = 2  # likewise


def read_head(
    config: Mapping[str, object], tensors: Mapping[str, CheckpointTensor], problems: Problems
) -> ClassificationHead | None:
    """Returns the classification head of a checkpoint; None for a language model.

    The weights say which head there is; the class that `architectures` names must not contradict them.

    Args:
        config: content of `config.json`.
        tensors: checkpoint's tensors by canonical name.
        problems: gets what makes the head unusable, in which case None is returned.
    """
    kind = problems.collect(_kind, config, tensors)
    if kind is None:
        return None
    weight = tensors[_WEIGHTS[kind]]
    labels = problems.collect(_labels, config, weight)
    problem_type = problems.collect(_problem_type, config, kind, weight.shape[0])
    pad_token_id = config.get("pad_token_id", _DEFAULT_PAD_TOKEN_ID)
    if pad_token_id is not None and type(pad_token_id) is not int:
        problems.add(f"pad_token_id is {printable(repr(pad_token_id))}; it must be a whole number or null")
        return None
    if labels is None or problem_type is None:
        return None
    return ClassificationHead(kind, labels, problem_type, pad_token_id)


def _kind(config: Mapping[str, object], tensors: Iterable[str]) -> HeadKind | None:
    stored = [kind for kind, name in _WEIGHTS.items() if name in tensors]
    if len(stored) > 1:
        raise CheckpointError(f"there are two heads, {' and '.join(_WEIGHTS.values())}: keep one")
    names = config.get("architectures")
    declared = names[0] if isinstance(names, list) and names else None
    wanted = next((kind for kind, name in CLASSES.items() if name == declared), None)
    if wanted is not None and wanted not in stored:
        raise CheckpointError(
            f"config.json says {declared}, but there is no {_WEIGHTS[wanted]}: save the model again from that class, "
            "or name its real class in architectures"
        )
    if stored and declared == _LANGUAGE_MODEL:
        raise CheckpointError(
            f"config.json says {declared}, but there is a {_WEIGHTS[stored[0]]}: name the real class in architectures "
            f"({CLASSES[stored[0]]}), or remove the tensor"
        )
    return stored[0] if stored else None


def _labels(config: Mapping[str, object], weight: CheckpointTensor) -> tuple[str, ...]:
    num_rows = weight.shape[0] if weight.shape else 0
    names = config.get("id2label")
    if names is None:
        # transformers leaves its defaults out of the file.
        count = config.get("num_labels", _DEFAULT_NUM_LABELS)
        names = {str(number): f"LABEL_{number}" for number in range(count)} if type(count) is int else None
    if not isinstance(names, dict):
        raise CheckpointError(f"id2label is {printable(repr(names))}; it must be an object of ids and names")
    if set(names) != {str(number) for number in range(num_rows)}:
        raise CheckpointError(
            f"config.json has {len(names)} labels (id2label), {weight.name} {num_rows:,} rows: give id2label the name "
            f"of each id from 0 to {num_rows - 1}"
        )
    labels = [names[str(number)] for number in range(num_rows)]
    for label in labels:
        if not isinstance(label, str):
            raise CheckpointError(f"id2label holds {printable(repr(label))}; names must be strings")
        if labels.count(label) > 1:
            raise CheckpointError(
                f"id2label gives the name {printable(repr(label))} to {labels.count(label)} ids: name each differently"
            )
    return tuple(labels)


def _problem_type(config: Mapping[str, object], kind: HeadKind, num_labels: int) -> ProblemType:
    if kind == "token-classification":
        return "single_label_classification"  # transformers' class knows no other
    stated = config.get("problem_type")
    found = next((known for known in PROBLEM_TYPES if known == stated), None)
    if stated is not None and found is None:
        raise CheckpointError(f"problem_type is {printable(repr(stated))}; known are {', '.join(PROBLEM_TYPES)}")
    if num_labels == 1 and found in {None, "single_label_classification"}:
        # transformers' class takes it for a regression, transformers' pipeline for a probability.
        raise CheckpointError(
            "there is one label, which may be a number or a probability: set problem_type in config.json to "
            '"regression" or "multi_label_classification"'
        )
    return found or "single_label_classification"
