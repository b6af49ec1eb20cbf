"""Text from ids as they come, for streaming."""

import copy
from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from biogpt_onnx.runtime.tokenizer.detokenizer import Detokenizer


class ReadableIds(Protocol):
    """What the decoder needs of a tokenizer."""

    def text_of(self, ids: Iterable[int]) -> str:
        """The text of ids' symbols, before detokenization; nothing of special tokens."""
        ...

    def prompt_text_of(self, ids: Iterable[int]) -> str:
        """The same, with `<unk>` as a word."""
        ...


class IncrementalDecoder:
    """Turns ids into text one by one and never takes anything back.

    The pieces of `push` and `finish` together are what the decoded prompt and ids have beyond the decoded prompt. Where
    the ids change the end of the decoded prompt, which they hardly do, it is what follows the common beginning.
    A step costs no more for a long text than for a short one.

    Args:
        tokenizer: gives the ids' symbols.
        prompt_ids: what stands before. It decides whether the text begins with a space and whether a quote opens or
            closes. Without words in the prompt the pieces are `tokenizer.decode(ids)`.

    Raises:
        PromptError: an id is outside the vocabulary.
    """

    def __init__(self, tokenizer: ReadableIds, prompt_ids: Sequence[int] = ()) -> None:
        self._tokenizer = tokenizer
        self._detokenizer = Detokenizer()
        self._detokenizer.push(tokenizer.prompt_text_of(prompt_ids))
        # The end of the decoded prompt, which the detokenizer holds back as more ids may change it.
        self._end_of_prompt = copy.deepcopy(self._detokenizer).finish()

    def push(self, token_id: int) -> str:
        """Takes the next id; returns the text that is certain now and was not before, often none."""
        return self._beyond_prompt(self._detokenizer.push(self._tokenizer.text_of((token_id,))))

    def finish(self) -> str:
        """Ends the text; returns the rest of it. Nothing may be pushed afterwards."""
        return self._beyond_prompt(self._detokenizer.finish())

    def peek(self) -> str:
        """What `finish` would return now; changes nothing."""
        text = copy.deepcopy(self._detokenizer).finish()
        return text[_shared_length(self._end_of_prompt, text) :]

    def branch(self) -> Self:
        """Another decoder that has read the same ids."""
        other = copy.copy(self)
        other._detokenizer = copy.deepcopy(self._detokenizer)  # noqa: SLF001 -- its own
        return other

    def _beyond_prompt(self, text: str) -> str:
        shared = _shared_length(self._end_of_prompt, text)
        # If they part, nothing that follows can belong to the prompt.
        self._end_of_prompt = self._end_of_prompt[shared:] if shared == len(text) else ""
        return text[shared:]


def _shared_length(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (left, right) in pairs if left != right), min(len(one), len(other)))
