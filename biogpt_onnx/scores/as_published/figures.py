"""Figures as a published program prints them, and their section of a report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from biogpt_onnx.reporting.markdown import table
from biogpt_onnx.runtime.errors import ConfigError
from biogpt_onnx.tasks.published import BC5CDR, DDI, HOC, KD_DTI, PUBMEDQA

_PUBLISHED = tuple(task.name for task in (BC5CDR, KD_DTI, DDI, HOC, PUBMEDQA))


@dataclass(frozen=True)
class PublishedFigures:
    """The figures of one model.

    Attributes:
        program: the programs whose counts these are.
        documents: number of documents that the programs count.
        failed: number of texts of which the post-processing makes nothing.
        counts: whole numbers, by name.
        figures: fractions, by the names under which the programs print them.
    """

    program: str
    documents: int
    failed: int
    counts: Mapping[str, int]
    figures: Mapping[str, float]


def published_section(published: Mapping[str, PublishedFigures]) -> Iterator[str]:
    """Yields the section of a report in Markdown; nothing if there are no figures.

    Args:
        published: the figures of each model, by its name.
    """
    if not published:
        return
    first = next(iter(published.values()))
    yield f"## As published\n\nCounted as {first.program} do, from the generated texts alone."
    yield table(
        ["system", *first.figures],
        [[name, *map("{:.4f}".format, each.figures.values())] for name, each in published.items()],
    )
    for name, each in published.items():
        counted = {"documents counted": each.documents, "texts that state nothing": each.failed, **each.counts}
        counts = ", ".join(f"{what} {number:,}" for what, number in counted.items())
        yield f"{name[:1].upper()}{name[1:]}: {counts}."


def check_published(task: str) -> None:
    """Refuses a task that Microsoft has no programs for, though it may be scored like one of theirs.

    Raises:
        ConfigError: the task is another one.
    """
    if task not in _PUBLISHED:
        raise ConfigError(
            f"as_published (--as-published) counts {', '.join(_PUBLISHED)} as Microsoft's programs do, which know no "
            f"{task}: leave it out"
        )


def check_countable(documents: int) -> None:
    """Refuses documents of which the programs would count none.

    Raises:
        ConfigError: there are no documents.
    """
    if not documents:
        raise ConfigError(
            "the published programs count documents with a relation alone, and no gold document has one: leave "
            "as_published (--as-published) out"
        )


def fraction(above: float, below: float) -> float:
    """Returns a fraction, 0 if the divisor is 0."""
    return above / below if below else 0.0


def harmonic(precision: float, recall: float) -> float:
    """Returns the F1 of a precision and a recall."""
    return fraction(2.0 * precision * recall, precision + recall)
