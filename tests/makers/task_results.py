"""What tasks give back, as a model might."""

from collections.abc import Mapping

from biogpt_onnx.tasks.results import Answer, Classification, Relation, Relations


def relations(*triples: tuple[str, str, str]) -> Relations:
    """Relations as (head, relation, tail)."""
    found = tuple(Relation(*triple, None, None, -1.0) for triple in triples)
    return Relations(found, (), "", 0, complete=True)


def induced(*pairs: tuple[str, str]) -> Relations:
    """Relations of chemicals and the diseases that they induce."""
    return relations(*((chemical, "CID", disease) for chemical, disease in pairs))


def answer(label: str | None, probabilities: Mapping[str, float] | None = None) -> Answer:
    """An answer, by default a sure one."""
    if probabilities is None:
        probabilities = {each: float(each == label) for each in ("yes", "no", "maybe")}
    return Answer(label, probabilities, -1.0, "", 0)


def classification(*labels: str, confidence: float = 1.0) -> Classification:
    """Labels, of which the first has that probability."""
    return Classification(labels, dict.fromkeys(labels[:1], confidence), (), "", 0)
