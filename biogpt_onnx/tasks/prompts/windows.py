"""Windows: overlapping parts of a document that is too long, which leave room for an answer each."""

from collections.abc import Iterator
from dataclasses import replace

from biogpt_onnx.tasks.prompts.building import SENTENCE_END, Prepared, PromptBuilder, build_prompt

OVERLAP = 0.25
"""Share of a window that the next one repeats, in whole sentences: what is said in two neighbouring sentences is read
together in one window, unless sentences are long."""


def build_prompts(builder: PromptBuilder) -> Iterator[Prepared]:
    """Yields the prompts of a document: one, or one for each window if it is too long and the settings say so.

    Every window holds the document's title and question, begins and ends with whole sentences as far as they fit, and
    has its spans in the whole document.

    Raises:
        PromptError: The text has no words; or it is too long, and the settings say otherwise.
    """
    if builder.reading.too_long != "windows":
        yield build_prompt(builder)
        return
    whole = builder.whole()
    if builder.fits(whole):
        yield whole
        return
    del whole
    builder = replace(builder, most_tokens=builder.reading.window_tokens)
    for start, end in _windows(builder):
        yield builder.part(start, end)


def _windows(builder: PromptBuilder) -> Iterator[tuple[int, int]]:
    """Yields start and end of each window in the document's text."""
    text = builder.document.text
    start, end = 0, builder.longest(0)
    yield start, end
    while text[end:].strip():
        start = _overlapping_start(text, start, end)
        reached = builder.longest(start)
        if reached <= end:
            # The next sentence is long: with the repeated ones before it, it does not fit.
            start, reached = end, builder.longest(end)
        end = reached
        yield start, end


def _overlapping_start(text: str, start: int, end: int) -> int:
    """Returns the start of the window behind one: a sentence of its last part, else its end."""
    earliest = end - int(OVERLAP * (end - start))
    found = SENTENCE_END.search(text, earliest, end)
    return found.end() if found else end
